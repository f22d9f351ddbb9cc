/// Makes arguments that a signature allows: what the host would pass on.
enum ArgumentSource {
  enum Profile: Sendable {
    /// Small and harmless.
    case ordinary
    /// Anything that the types allow, edges more often than chance would have it.
    case random
    /// Smallest and largest numbers, infinities, NaN.
    case extreme
    /// Every slice is empty.
    case empty
    /// Every slice has 1 MiB.
    case large
  }

  static func items(
    for signature: Signature, _ profile: Profile, _ random: inout SeededGenerator
  ) -> [Arguments.Item] {
    signature.parameters.map { item($0.type, profile, &random) }
  }

  private static func item(_ type: ValueType, _ profile: Profile, _ random: inout SeededGenerator) -> Arguments.Item {
    switch type {
    case .bool: .scalar(random.next() & 1)
    case .i32, .u32: .scalar(number(profile, &random) & 0xffff_ffff)
    case .i64, .u64: .scalar(number(profile, &random))
    case .f64: .scalar(real(profile, &random).bitPattern)
    case .text: .slice(Array(text(length(profile, &random), &random).utf8))
    case .bytes: .slice((0..<length(profile, &random)).map { _ in UInt8(truncatingIfNeeded: random.next()) })
    case .json: .slice(json(profile, &random))
    }
  }

  private static let edges: [UInt64] = [
    0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000, .max, .max - 1,
  ]

  private static func number(_ profile: Profile, _ random: inout SeededGenerator) -> UInt64 {
    switch profile {
    case .ordinary, .empty, .large: random.next() % 4
    case .extreme: edges[random.below(edges.count)]
    case .random:
      switch random.below(4) {
      case 0: edges[random.below(edges.count)]
      case 1: random.next() % 100
      default: random.next() >> random.next() % 64
      }
    }
  }

  private static func real(_ profile: Profile, _ random: inout SeededGenerator) -> Double {
    let edges: [Double] = [
      0, -0.0, 1, -1, .infinity, -.infinity, .nan, .greatestFiniteMagnitude, .leastNonzeroMagnitude, 1e-300, 0.1,
    ]
    switch profile {
    case .ordinary, .empty, .large: return Double(random.next() % 8) / 4
    case .extreme: return edges[random.below(edges.count)]
    case .random: return random.below(3) == 0 ? edges[random.below(edges.count)] : Double(bitPattern: random.next())
    }
  }

  private static func length(_ profile: Profile, _ random: inout SeededGenerator) -> Int {
    switch profile {
    case .ordinary: 1 + random.below(12)
    case .random, .extreme: random.below(8) == 0 ? random.below(5000) : random.below(40)
    case .empty: 0
    case .large: 1 << 20
    }
  }

  /// UTF-8 of this many bytes, with characters of every width.
  private static func text(_ length: Int, _ random: inout SeededGenerator) -> String {
    let alphabet: [Unicode.Scalar] = [
      "a", "Z", "0", " ", "\n", "\u{0}", "\"", "\\", "%", "/", "é", "ß", "\u{7f}", "\u{85}", "€", "語", "\u{202e}",
      "\u{feff}", "\u{ffff}", "😀", "\u{10ffff}",
    ]
    var text = String.UnicodeScalarView()
    var bytes = 0
    while bytes < length {
      let scalar = length > 10_000 ? "x" : alphabet[random.below(alphabet.count)]
      let width = UTF8.width(scalar)
      text.append(bytes + width <= length ? scalar : "x")
      bytes += bytes + width <= length ? width : 1
    }
    return String(text)
  }

  private static func json(_ profile: Profile, _ random: inout SeededGenerator) -> [UInt8] {
    switch profile {
    case .empty: return Array("{}".utf8)
    case .large: return Array("\"\(String(repeating: "x", count: (1 << 20) - 2))\"".utf8)
    case .ordinary: return Array("{\"a\":1}".utf8)
    case .random, .extreme: return Array(value(3, &random).text.utf8)
    }
  }

  private static func value(_ depth: Int, _ random: inout SeededGenerator) -> JSONValue {
    switch random.below(depth > 0 ? 9 : 6) {
    case 0: return .null
    case 1: return .bool(random.next() & 1 == 0)
    case 2: return .unsigned(number(.random, &random))
    case 3: return .integer(Int64(bitPattern: number(.random, &random)))
    case 4: return .number(Double(Int64(bitPattern: random.next()) >> 32) / 1024)
    case 5: return .string(text(random.below(20), &random))
    case 6: return .array((0..<random.below(4)).map { _ in value(depth - 1, &random) })
    default:
      var members: [String: JSONValue] = [:]
      for _ in 0..<random.below(4) { members[text(1 + random.below(6), &random)] = value(depth - 1, &random) }
      return .object(members)
    }
  }
}

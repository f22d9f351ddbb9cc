/// Values as text: as Python prints them, and as JSON.
enum TemplateText {
  private static let mostNested = 100

  /// What `{{ value }}` writes.
  static func of(_ value: TemplateValue) -> MarkedText {
    switch value {
    case .text(let text): text
    case .undefined: MarkedText()
    default: MarkedText(printed(value, 0), authored: isOurs(value))
    }
  }

  /// Numbers and truth values hold nothing that a caller wrote.
  private static func isOurs(_ value: TemplateValue) -> Bool {
    switch value {
    case .list, .map: false
    default: true
    }
  }

  private static func printed(_ value: TemplateValue, _ depth: Int) -> String {
    guard depth < mostNested else { return "..." }
    switch value {
    case .none: return "None"
    case .undefined: return "Undefined"
    case .bool(let flag): return flag ? "True" : "False"
    case .integer(let number): return String(number)
    case .real(let number): return "\(number)"
    case .text(let text): return quoted(text.string)
    case .list(let items): return "[" + items.map { printed($0, depth + 1) }.joined(separator: ", ") + "]"
    case .map(let map):
      let members = map.entries.map { "\(quoted($0.key.string)): \(printed($0.value, depth + 1))" }
      return "{" + members.joined(separator: ", ") + "}"
    case .namespace: return "<Namespace>"
    case .macro: return "<Macro>"
    }
  }

  /// Python's repr of a text.
  private static func quoted(_ text: String) -> String {
    let quote: Unicode.Scalar = text.contains("'") && !text.contains("\"") ? "\"" : "'"
    var out = String(quote)
    for scalar in text.unicodeScalars {
      switch scalar {
      case quote, "\\": out += "\\" + String(scalar)
      case "\n": out += "\\n"
      case "\r": out += "\\r"
      case "\t": out += "\\t"
      default:
        if scalar.value < 0x20 || scalar.value == 0x7f {
          out += "\\x" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
        } else {
          out.unicodeScalars.append(scalar)
        }
      }
    }
    return out + String(quote)
  }

  /// Python's `str.title`: every run of letters begins with a capital.
  static func titled(_ text: String) -> String {
    var out = ""
    var inWord = false
    for scalar in text.unicodeScalars {
      let isLetter = scalar.properties.isAlphabetic
      out +=
        isLetter ? (inWord ? scalar.properties.lowercaseMapping : scalar.properties.titlecaseMapping) : String(scalar)
      inWord = isLetter
    }
    return out
  }

  /// As transformers' `tojson`: `json.dumps` with what is not ASCII left as it is.
  static func json(_ value: TemplateValue, indent: TemplateValue?) throws(TemplateError) -> MarkedText {
    var bytes: [UInt8] = []
    let width = indent?.whole.map { min(max(0, $0), 16) }
    try write(value, into: &bytes, indent: width, depth: 0)
    return MarkedText(String(decoding: bytes, as: UTF8.self), authored: false)
  }

  private static func write(
    _ value: TemplateValue, into bytes: inout [UInt8], indent: Int?, depth: Int
  ) throws(TemplateError) {
    guard depth < mostNested else { throw TemplateError(reason: "a value is nested too deep") }
    func line(_ depth: Int) {
      guard let indent else { return }
      bytes.append(0x0a)
      bytes += [UInt8](repeating: 0x20, count: indent * depth)
    }
    let comma = indent == nil ? ", " : ","
    switch value {
    case .none: bytes += "null".utf8
    case .bool(let flag): bytes += (flag ? "true" : "false").utf8
    case .integer(let number): bytes += "\(number)".utf8
    case .real(let number): bytes += "\(number)".utf8
    case .text(let text): JSONValue.quote(text.string, into: &bytes)
    case .list(let items):
      bytes.append(UInt8(ascii: "["))
      for (index, item) in items.enumerated() {
        if index > 0 { bytes += comma.utf8 }
        line(depth + 1)
        try write(item, into: &bytes, indent: indent, depth: depth + 1)
      }
      if !items.isEmpty { line(depth) }
      bytes.append(UInt8(ascii: "]"))
    case .map(let map):
      bytes.append(UInt8(ascii: "{"))
      for (index, entry) in map.entries.enumerated() {
        if index > 0 { bytes += comma.utf8 }
        line(depth + 1)
        JSONValue.quote(entry.key.string, into: &bytes)
        bytes += ": ".utf8
        try write(entry.value, into: &bytes, indent: indent, depth: depth + 1)
      }
      if !map.entries.isEmpty { line(depth) }
      bytes.append(UInt8(ascii: "}"))
    case .undefined, .namespace, .macro: throw TemplateError(reason: "it writes as JSON what is none")
    }
  }
}

extension MarkedText {
  /// The characters, one by one.
  var characters: [MarkedText] {
    var starts = bytes.indices.filter { bytes[$0] & 0xc0 != 0x80 }
    starts.append(bytes.count)
    return zip(starts, starts.dropFirst()).map { self[$0..<$1] }
  }

  /// The text after a change; authored only if all of it was.
  func mapped(_ change: (String) -> String) -> MarkedText {
    MarkedText(change(string), authored: authored.allSatisfy(\.self))
  }

  /// Without some characters at the ends; white space if none are named.
  func stripped(_ characters: String?, left: Bool, right: Bool) -> MarkedText {
    let pieces = self.characters
    let set = characters.map { Set($0.unicodeScalars) }
    func goes(_ piece: MarkedText) -> Bool {
      guard let scalar = piece.string.unicodeScalars.first else { return false }
      return set.map { $0.contains(scalar) } ?? (scalar.properties.isWhitespace || (0x1c...0x1f).contains(scalar.value))
    }
    var (first, last) = (0, pieces.count)
    if left { while first < last, goes(pieces[first]) { first += 1 } }
    if right { while last > first, goes(pieces[last - 1]) { last -= 1 } }
    let start = pieces[..<first].reduce(0) { $0 + $1.bytes.count }
    return self[start..<start + pieces[first..<last].reduce(0) { $0 + $1.bytes.count }]
  }

  /// The places where a text begins, not overlapping.
  func places(of part: MarkedText, most: Int?) -> [Int] {
    guard !part.isEmpty, part.bytes.count <= bytes.count else { return [] }
    var places: [Int] = []
    var index = 0
    while index + part.bytes.count <= bytes.count, places.count < most ?? .max {
      if bytes[index] == part.bytes[0], bytes[index..<index + part.bytes.count].elementsEqual(part.bytes) {
        places.append(index)
        index += part.bytes.count
      } else {
        index += 1
      }
    }
    return places
  }

  func replacing(_ old: MarkedText, with new: MarkedText, most: Int?) throws(TemplateError) -> MarkedText {
    guard !old.isEmpty else { throw TemplateError(reason: "it replaces an empty text") }
    let places = places(of: old, most: most)
    guard bytes.count + places.count * new.bytes.count <= 64 << 20 else {
      throw TemplateError(reason: "the conversation is too long")
    }
    var out = MarkedText()
    var end = 0
    for place in places {
      out.append(self[end..<place])
      out.append(new)
      end = place + old.bytes.count
    }
    out.append(self[end..<bytes.count])
    return out
  }

  /// The parts between separators; between runs of white space if none is named.
  func split(_ separator: MarkedText?, most: Int?) -> [MarkedText] {
    guard let separator, !separator.isEmpty else {
      var parts: [MarkedText] = []
      var current = MarkedText()
      for piece in characters {
        if piece.string.unicodeScalars.first?.properties.isWhitespace == true {
          if !current.isEmpty { parts.append(current) }
          current = MarkedText()
        } else {
          current.append(piece)
        }
      }
      return current.isEmpty ? parts : parts + [current]
    }
    var parts: [MarkedText] = []
    var end = 0
    for place in places(of: separator, most: most) {
      parts.append(self[end..<place])
      end = place + separator.bytes.count
    }
    return parts + [self[end..<bytes.count]]
  }

  /// Every line but the first, and none that is empty, moved to the right.
  func indented(by width: Int, first: Bool) -> MarkedText {
    let margin = MarkedText(String(repeating: " ", count: width), authored: true)
    var out = MarkedText()
    for (index, line) in split(MarkedText("\n", authored: true), most: nil).enumerated() {
      if index > 0 { out.append(MarkedText("\n", authored: true)) }
      if index > 0 ? !line.isEmpty : first { out.append(margin) }
      out.append(line)
    }
    return out
  }
}

extension Receipt {
  /// The most tokens that a receipt is read with.
  static let tokenLimit = 1 << 20

  /// The receipt as JSON.
  package var json: JSONValue {
    var members: [JSONValue.Member] = []
    func add(_ name: String, _ value: JSONValue) { members.append(.init(name, value)) }
    func tokens(_ tokens: [Int32]) -> JSONValue { .array(tokens.map { .number("\($0)") }) }
    add("version", .number("\(Self.version)"))
    add("model_sha256", .string(Hexadecimal.text(statement.model)))
    add("parameters_hash", .string(statement.parameters.hex))
    add("prompt_hash", .string(statement.prompt.hex))
    add("seed", .number("\(statement.seed)"))
    add("prompt_tokens", .number("\(statement.promptTokens)"))
    add("output_tokens", .number("\(statement.outputTokens)"))
    add("output_hash", .string(statement.output.hex))
    add("trace_root", .string(statement.traceRoot.hex))
    add("spec_hash", .string(Hexadecimal.text(statement.specification)))
    add("provider", .string(Hexadecimal.text(statement.provider)))
    add("signature", .string(Hexadecimal.text(signature)))
    add("parameters", opening.parameters.json)
    add("prompt", tokens(opening.prompt))
    add("output", tokens(opening.output))
    add("leaves", .string(opening.leaves.map(\.hex).joined()))
    if !opening.digests.isEmpty {
      add("digests", .array(opening.digests.map { .string($0.map(\.hex).joined()) }))
    }
    return .object(members)
  }

  /// Reads a receipt; whether it holds is for `flaws` to say.
  package init(json: JSONValue) throws(InferenceError) {
    func wrong(_ name: String) -> InferenceError {
      InferenceError(
        .invalidRequest, "bad_receipt",
        "This is no receipt of version \(Self.version): `\(name)` is missing or not of its form.")
    }
    func bytes(_ name: String, _ count: Int) throws(InferenceError) -> [UInt8] {
      guard let found = json[name]?.string.flatMap(Hexadecimal.bytes), found.count == count else { throw wrong(name) }
      return found
    }
    func digest(_ name: String) throws(InferenceError) -> Digest {
      guard let found = Digest(try bytes(name, Digest.size)) else { throw wrong(name) }
      return found
    }
    func number<Whole: FixedWidthInteger>(_ name: String) throws(InferenceError) -> Whole {
      guard let found = json[name]?.integer(Whole.self) else { throw wrong(name) }
      return found
    }
    func tokens(_ name: String) throws(InferenceError) -> [Int32] {
      guard let rows = json[name]?.array, rows.count <= Self.tokenLimit,
        case let found = rows.compactMap({ $0.integer(Int32.self) }), found.count == rows.count,
        found.allSatisfy({ $0 >= 0 })
      else { throw wrong(name) }
      return found
    }
    func digests(_ text: String, _ name: String) throws(InferenceError) -> [Digest] {
      guard text.utf8.count % (2 * Digest.size) == 0, text.utf8.count / (2 * Digest.size) <= Self.tokenLimit,
        let bytes = Hexadecimal.bytes(text)
      else { throw wrong(name) }
      return stride(from: 0, to: bytes.count, by: Digest.size).compactMap { Digest(bytes[$0..<$0 + Digest.size]) }
    }
    guard try number("version") as UInt32 == Self.version else { throw wrong("version") }
    guard let parameters = json["parameters"], let leaves = json["leaves"]?.string else { throw wrong("parameters") }
    let seed: UInt64 = try number("seed")
    var rows: [[Digest]] = []
    for row in json["digests"]?.array ?? [] {
      guard let text = row.string, rows.count < Self.tokenLimit else { throw wrong("digests") }
      rows.append(try digests(text, "digests"))
    }
    self.init(
      Statement(
        model: try bytes("model_sha256", 32), parameters: try digest("parameters_hash"),
        prompt: try digest("prompt_hash"), seed: seed, promptTokens: try number("prompt_tokens"),
        outputTokens: try number("output_tokens"), output: try digest("output_hash"),
        traceRoot: try digest("trace_root"), specification: try bytes("spec_hash", 32),
        provider: try bytes("provider", 32)),
      signature: try bytes("signature", 64),
      Opening(
        parameters: try ReceiptParameters(json: parameters, seed: seed), prompt: try tokens("prompt"),
        output: try tokens("output"), leaves: try digests(leaves, "leaves"), digests: rows))
  }
}

/// Bytes as digits.
package enum Hexadecimal {
  /// Two lowercase digits for each byte.
  package static func text(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }

  /// The bytes of an even number of digits of either case; nil for anything else.
  package static func bytes(_ text: String) -> [UInt8]? {
    func value(_ digit: UInt8) -> UInt8? {
      switch digit {
      case 0x30...0x39: digit - 0x30
      case 0x41...0x46: digit - 0x41 + 10
      case 0x61...0x66: digit - 0x61 + 10
      default: nil
      }
    }
    let digits = Array(text.utf8)
    guard digits.count % 2 == 0 else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(digits.count / 2)
    for index in stride(from: 0, to: digits.count, by: 2) {
      guard let high = value(digits[index]), let low = value(digits[index + 1]) else { return nil }
      bytes.append(high << 4 | low)
    }
    return bytes
  }
}

extension JSONValue {
  /// Reads a document that a person or a file gave.
  package init(document text: String) throws(InferenceError) {
    do throws(JSONParser.Fault) { self = try JSONParser.parse(text) } catch {
      throw InferenceError(
        .invalidRequest, "not_json", "This is not JSON: \(error.reason), at byte \(error.offset).")
    }
  }
}

extension Trace {
  /// The trace of leaves that lie one after another, 32 bytes each.
  package init(bytes: [UInt8]) {
    self.init(
      stride(from: 0, to: bytes.count / Digest.size * Digest.size, by: Digest.size).compactMap {
        Digest(bytes[$0..<$0 + Digest.size])
      })
  }
}

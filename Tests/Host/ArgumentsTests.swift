import Host
import Testing

@Suite struct ArgumentsTests {
  static let all = try? Signature(
    parsing: "f(a: bool, b: i32, c: u32, d: i64, e: u64, f: f64, g: text, h: bytes, i: json)")

  @Test func canonicalFormIsBigEndianAndLengthPrefixed() throws {
    let signature = try Signature(parsing: "f(a: bool, b: i32, c: u64, d: text, e: bytes)")
    let json = try JSONValue(parsing: Array(#"{"a":true,"b":-2,"c":258,"d":"hé","e":"0aff"}"#.utf8))
    let bytes = try Arguments(json: json, for: signature).canonical(for: signature)
    #expect(bytes.hexadecimal == "01fffffffe000000000000010200000003" + "68c3a9" + "00000002" + "0aff")
  }

  @Test(arguments: [
    (#"{"n":-1}"#, "0 to"), (#"{"n":18446744073709551616}"#, "0 to"), (#"{"n":1.5}"#, "0 to"),
    (#"{"n":"1"}"#, "not a text"),
    (#"{"n":1e300}"#, "0 to"), (#"{"n":null}"#, "not null"), (#"{}"#, "needs the argument `n`"),
    (#"{"n":1,"m":2}"#, "no argument `m`"), (#"[1]"#, "by name"),
  ])
  func wrongJSONNamesTheArgument(_ text: String, _ expected: String) throws {
    let signature = try Signature(parsing: "f(n: u64)")
    let json = try JSONValue(parsing: Array(text.utf8))
    let error = #expect(throws: HostError.self) { try Arguments(json: json, for: signature) }
    #expect(error?.message.contains(expected) == true, "\(error?.message ?? "")")
  }

  @Test func largeIntegersStayExact() throws {
    let signature = try Signature(parsing: "f(n: u64, m: i64)")
    let json = try JSONValue(parsing: Array(#"{"n":18446744073709551615,"m":-9223372036854775808}"#.utf8))
    #expect(
      try Arguments(json: json, for: signature).canonical(for: signature).hexadecimal
        == "ffffffffffffffff8000000000000000")
  }

  @Test func canonicalBytesSurviveDecodingAndEncoding() throws {
    let signature = try #require(Self.all)
    var random = SplitMix(seed: 7)
    var accepted = 0
    for _ in 0..<200_000 {
      let bytes = randomArguments(&random)
      guard let arguments = try? Arguments(canonical: bytes, for: signature) else { continue }
      accepted += 1
      #expect(arguments.canonical(for: signature) == bytes)
    }
    #expect(accepted > 1000)
  }

  @Test func truncatedAndSurplusBytesAreRefused() throws {
    let signature = try Signature(parsing: "f(a: u32, b: bytes)")
    let good: [UInt8] = [0, 0, 0, 1, 0, 0, 0, 2, 9, 9]
    _ = try Arguments(canonical: good, for: signature)
    for count in 0..<good.count {
      #expect(throws: HostError.self) { try Arguments(canonical: Array(good.prefix(count)), for: signature) }
    }
    #expect(throws: HostError.self) { try Arguments(canonical: good + [0], for: signature) }
    #expect(throws: HostError.self) { try Arguments(canonical: [0, 0, 0, 1, 255, 255, 255, 255, 0], for: signature) }
  }

  @Test func textMustBeUTF8AndBoolZeroOrOne() throws {
    #expect(throws: HostError.self) {
      try Arguments(canonical: [0, 0, 0, 1, 0xff], for: Signature(parsing: "f(a: text)"))
    }
    #expect(throws: HostError.self) { try Arguments(canonical: [2], for: Signature(parsing: "f(a: bool)")) }
  }

  /// Mostly well-formed bytes for `all`, sometimes broken.
  private func randomArguments(_ random: inout SplitMix) -> [UInt8] {
    var bytes: [UInt8] = [UInt8(random.next() % 2)]
    for _ in 0..<(4 + 4 + 8 + 8 + 8) { bytes.append(UInt8(truncatingIfNeeded: random.next())) }
    for _ in 0..<3 {
      let count = Int(random.next() % 5)
      bytes += [0, 0, 0, UInt8(count)] + (0..<count).map { _ in UInt8(random.next() % 128) }
    }
    if random.next() % 3 == 0 {
      bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next())
    }
    if random.next() % 5 == 0 { bytes.removeLast(Int(random.next() % 8)) }
    return bytes
  }
}

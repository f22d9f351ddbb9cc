import Host
import Testing

@Suite struct SignatureTests {
  @Test(arguments: [
    "stop()", "transfer(from: bytes, to: bytes, amount: u64) -> (receipt: bytes)",
    "generate(request: json) -> (events: stream<json>)",
    "all(a: bool, b: i32, c: u32, d: i64, e: u64, f: f64) -> (g: text)",
  ])
  func canonicalTextSurvivesParsing(_ text: String) throws {
    #expect(try Signature(parsing: text).description == text)
  }

  @Test func spacesAreNotSignificant() throws {
    #expect(
      try Signature(parsing: " f( a:u64 ,b : text )->( c:bool ) ").description == "f(a: u64, b: text) -> (c: bool)")
  }

  @Test(arguments: [
    "", "f", "f(", "f)", "F()", "1f()", "f(a)", "f(a:)", "f(a: u65)", "f(a: u64", "f(a: u64,)", "f() ->", "f() -> a",
    "f(a: stream<u64>)", "f() -> (a: stream<text>, b: u64)", "f() -> (a: stream<stream<u64>>)", "f(a: u64, a: u64)",
    "f() -> (a: u64, a: u64)", "f() x", "f(é: u64)", "f(\u{0}: u64)", "f() -> (a: stream<u64)",
  ])
  func wrongTextIsRefusedWithASentence(_ text: String) {
    #expect(throws: HostError.self) { try Signature(parsing: text) }
  }

  @Test func limitsHold() {
    let many = (0..<17).map { "a\($0): u64" }.joined(separator: ", ")
    #expect(throws: HostError.self) { try Signature(parsing: "f(\(many))") }
    #expect(throws: HostError.self) { try Signature(parsing: String(repeating: "a", count: 49) + "()") }
    #expect(throws: HostError.self) { try Signature(parsing: "f(" + String(repeating: " ", count: 2000) + ")") }
  }

  @Test func randomTextNeverCrashesTheParser() {
    var random = SplitMix(seed: 42)
    let alphabet = Array("abf(): ,->stream<u64text>i32\u{0}é".unicodeScalars)
    for _ in 0..<50_000 {
      var text = ""
      for _ in 0..<Int(random.next() % 40) {
        text.unicodeScalars.append(alphabet[Int(random.next() % UInt64(alphabet.count))])
      }
      if let parsed = try? Signature(parsing: text) { #expect((try? Signature(parsing: parsed.description)) == parsed) }
    }
  }
}

/// A small reproducible generator: every property test names its seed.
struct SplitMix: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}

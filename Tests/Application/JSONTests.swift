import ApplicationCore
import Testing

private func parse(_ text: String) throws -> JSONValue { try JSONParser.parse(Array(text.utf8)) }

@Suite struct JSONTests {
  @Test(arguments: [
    #"{"a":[1,-2.5e+3,true,false,null,"x\n\u00e9\ud83d\ude00"],"b":{}}"#, "[]", "0", "-0", #""""#, " [ 1 , 2 ] ",
  ])
  func validDocumentsSurviveARoundTrip(text: String) throws {
    let value = try parse(text)
    #expect(try JSONParser.parse(value.encoded) == value)
  }

  @Test(arguments: [
    "", "{", "[1,]", "{\"a\":1,}", "{\"a\" 1}", "{'a':1}", "01", "-", "1.", "1e", "+1", ".5", "nul", "tru", "NaN",
    "[1] 2", "\"\t\"", "\"\\x\"", "\"\\ud800\"", "\"\\udc00\"", "\"abc", "{\"a\":1,\"a\":2}", "\u{feff}{}",
    String(repeating: "[", count: 1000), String(repeating: "1", count: 100),
  ])
  func malformedDocumentsAreRefused(text: String) {
    #expect(throws: JSONParser.Fault.self) { try parse(text) }
  }

  @Test func bytesThatAreNotUTF8AreRefused() {
    #expect(throws: JSONParser.Fault.self) { try JSONParser.parse([0x22, 0xFF, 0x22]) }
    #expect(throws: JSONParser.Fault.self) { try JSONParser.parse([0x22, 0xC0, 0x80, 0x22]) }
  }

  @Test func nestingIsReadToItsLimitOnly() throws {
    let deepest = JSONParser.maximumDepth
    _ = try parse(String(repeating: "[", count: deepest) + String(repeating: "]", count: deepest))
    #expect(throws: JSONParser.Fault.self) {
      try parse(String(repeating: "[", count: deepest + 1) + String(repeating: "]", count: deepest + 1))
    }
  }

  @Test func randomBytesNeverCrashTheParser() {
    var random = SeededGenerator(seed: 42)
    let alphabet = Array("{}[]\":,\\u0123456789eE+-.truefalsnl \n\u{0}é".utf8)
    for _ in 0..<20_000 {
      let bytes = (0..<Int.random(in: 0..<40, using: &random)).map { _ in
        alphabet.randomElement(using: &random) ?? 0
      }
      if let value = try? JSONParser.parse(bytes) { #expect((try? JSONParser.parse(value.encoded)) == value) }
    }
    print("JSON fuzz: 20000 documents, seed 42")
  }

  @Test func controlCharactersAreEscaped() {
    #expect(JSONValue.string("a\u{1}\"\\\n\u{7f}").text == "\"a\\u0001\\\"\\\\\\n\u{7f}\"")
  }
}

import Canonical
import Testing

private func parse(_ text: String) throws(StrictJSONError) -> StrictJSON { try StrictJSON(text, limit: 4096) }

@Test func theWrittenFormIsSortedAndHasNoSpace() throws {
  let text = #" { "b" : [ 1 , -2, true,null ] , "a" : "é\u0001\n\/\ud83d\ude42" , "\u0041": {} } "#
  #expect(try parse(text).text == #"{"A":{},"a":"é\u0001\n/🙂","b":[1,-2,true,null]}"#)
}

@Test func theWrittenFormReadsBackAsItself() throws {
  let text = #"{"n":18446744073709551615,"m":-9223372036854775808,"s":"\"\\"}"#
  let value = try parse(text)
  #expect(try parse(value.text) == value)
  #expect(value.object?["n"]?.unsigned == .max)
}

@Test(arguments: [
  "", " ", "{", "[1,]", "[1 2]", #"{"a":1,}"#, #"{"a" 1}"#, "{a:1}", "tru", "nulll", "01", "-", "-0", "1.0", "1e3",
  "+1",
  "18446744073709551616", "-9223372036854775809", "99999999999999999999999999999999999999999999", "\"", "\"\u{1}\"",
  #""\x""#, #""\u12""#, #""\ud800""#, #""\ud800\u0041""#, #""\udc00""#, "1 1", "[]]", "NaN", "'a'", "\u{FEFF}1",
  #"{"a":1,"a":2}"#, #"{"é":1,"e\#u{301}":2}"#,
])
func whatIsNotStrictJSONIsRefused(_ text: String) {
  #expect(throws: StrictJSONError.self) { try parse(text) }
}

@Test func depthAndSizeAreBounded() {
  #expect(throws: StrictJSONError.self) { try parse(String(repeating: "[", count: 4000)) }
  #expect(throws: StrictJSONError.self) {
    try parse(String(repeating: "[", count: 17) + String(repeating: "]", count: 17))
  }
  #expect(throws: Never.self) { try parse(String(repeating: "[", count: 16) + String(repeating: "]", count: 16)) }
  #expect(throws: StrictJSONError.self) { try parse("\"" + String(repeating: "x", count: 5000) + "\"") }
}

@Test func anErrorNamesTheByte() {
  let error = #expect(throws: StrictJSONError.self) { try parse(#"{"a":?}"#) }
  #expect(error?.description == "A value is expected here (byte 5 of the JSON).")
}

@Test func randomJSONNeverTrapsAndWhatIsReadIsStable() throws {
  var state = UInt64.random(in: .min ... .max)
  print("strict JSON fuzz seed \(state)")
  let seed = state
  let alphabet = Array(#"{}[],:"\ u09ae-.1tfnrl/é"#)
  for _ in 0..<100_000 {
    var text = ""
    for _ in 0..<Int(state >> 60) + 1 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      text.append(alphabet[Int(state >> 33) % alphabet.count])
    }
    guard let value = try? parse(text) else { continue }
    let again = try parse(value.text)
    #expect(again == value && again.text == value.text, "seed \(seed) text \(text)")
  }
}

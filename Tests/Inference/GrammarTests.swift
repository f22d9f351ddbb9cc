import Foundation
import InferenceCore
import Testing

/// Forms of JSON: what they hold and what they do not, without a model.
struct GrammarTests {
  private static func grammar(_ schema: String, isStrict: Bool = true) throws -> Grammar {
    try SchemaCompiler.grammar(try JSONParser.parse(schema), isStrict: isStrict)
  }

  /// A schema, texts of it, and texts that are not.
  struct Case: Sendable, CustomTestStringConvertible {
    let schema: String
    let fits: [String]
    let fails: [String]
    var testDescription: String { schema }
  }

  static let cases: [Case] = [
    Case(
      schema: #"""
        {"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"string"}},
        "required":["a","b"],"additionalProperties":false}
        """#,
      fits: [#"{"a":1,"b":"x"}"#, #"{"a": -20, "b": ""}"#, "{\n  \"a\": 0,\n  \"b\": \"\\u00e9\\n\"\n}"],
      fails: [
        #"{"b":"x","a":1}"#, #"{"a":1}"#, #"{"a":01,"b":""}"#, #"{"a":1.5,"b":""}"#, #"{"a":1,"b":"x","c":1}"#, "{}",
      ]),
    Case(
      schema: #"""
        {"type":"object","properties":{"a":{"type":"null"},"b":{"type":"boolean"},
        "c":{"type":"number"}},"required":["b"]}
        """#,
      fits: [#"{"b":true}"#, #"{"a":null,"b":false}"#, #"{"b":true,"c":-1.5e-3}"#, #"{"a":null,"b":true,"c":0}"#],
      fails: [#"{"a":null}"#, #"{"b":true,}"#, #"{,"b":true}"#, #"{"b":true,"a":null}"#, #"{"b":true,"c":1e999}"#]),
    Case(
      schema: #"""
        {"type":"object","properties":{"id":{"type":"integer"}},"required":["id"],
        "additionalProperties":{"type":"string"}}
        """#,
      fits: [#"{"id":1}"#, #"{"id":1,"x":"y"}"#, #"{"id":1,"i":"y","ide":"z","é":"","":"q"}"#],
      fails: [#"{"id":1,"id":"y"}"#, #"{"id":1,"x":2}"#, #"{"x":"y"}"#]),
    Case(
      schema: #"""
        {"type":"array","items":{"enum":["red","reed","blue",3,null]},"minItems":1,
        "maxItems":3}
        """#,
      fits: [#"["red"]"#, #"["reed", 3,null]"#],
      fails: ["[]", #"["re"]"#, #"["red","red","red","red"]"#, #"["red" ,3]"#]),
    Case(
      schema: #"""
        {"type":"array","prefixItems":[{"type":"integer"},{"const":"x"}],"items":false}
        """#,
      fits: [#"[5,"x"]"#], fails: ["[]", "[5]", #"["x",5]"#, #"[5,"x",1]"#]),
    Case(
      schema: #"""
        {"anyOf":[{"type":"string","maxLength":3},{"type":"integer","minimum":-12,
        "exclusiveMaximum":1005}]}
        """#,
      fits: [#""""#, #""abc""#, #""a\u1234é""#, #""\ud83d\ude00""#, "-12", "-1", "0", "7", "99", "1004"],
      fails: [#""abcd""#, "-13", "1005", "-0", "00", "1.0", #""\ud83d""#]),
    Case(
      schema: ##"""
        {"$defs":{"node":{"type":"object","properties":{"v":{"type":"integer"},
        "next":{"anyOf":[{"$ref":"#/$defs/node"},{"type":"null"}]}},"required":[
        "v","next"],"additionalProperties":false}},"$ref":"#/$defs/node"}
        """##,
      fits: [#"{"v":1,"next":null}"#, #"{"v":1,"next":{"v":2,"next":{"v":3,"next":null}}}"#],
      fails: [#"{"v":1}"#, #"{"v":1,"next":{}}"#]),
    Case(
      schema: #"""
        {"type":"string","pattern":"^[A-Z]{2}-\\d{1,3}(?:x|yy)?$"}
        """#,
      fits: [#""AB-1""#, #""QX-123yy""#, #""AA-12x""#], fails: [#""AB-""#, #""AB-1234""#, #""ab-1""#, #""AB-1xx""#]),
    Case(
      schema: #"{"type":"string","pattern":"b[^\"a]"}"#, fits: [##""aabc\"""##, #""b\\""#, #""xbé""#],
      fails: [#""b\"""#, #""ba""#]),
    Case(
      schema: #"""
        {"type":"string","format":"date-time"}
        """#,
      fits: [#""2024-02-28T23:59:59Z""#, #""1999-12-31T00:00:00.5+02:00""#],
      fails: [#""2024-02-30T00:00:00Z""#, #""2024-13-01T00:00:00Z""#, #""2024-01-01""#]),
    Case(
      schema: #"{"type":"integer","minimum":0}"#, fits: ["0", "7", "10", "1234567890123456", "9999999999999999"],
      fails: ["-1", "01", "10000000000000000"]),
    Case(schema: #"{"type":["integer","null"]}"#, fits: ["3", "null"], fails: ["true", "\"3\""]),
    Case(
      schema: #"""
        {"type":"number","minimum":0,"maximum":1}
        """#, fits: ["0", "1", "0.25"], fails: ["1.5", "-0.5", "2"]),
    Case(
      schema: #"""
        {"allOf":[{"type":"object","properties":{"a":{"const":1}},"required":["a"]},
        {"properties":{"b":{"const":2}},"required":["b"]}]}
        """#,
      fits: [#"{"a":1,"b":2}"#], fails: [#"{"a":1}"#, #"{"b":2}"#]),
  ]

  @Test(arguments: cases) func aFormHoldsWhatTheSchemaSays(_ example: Case) throws {
    let grammar = try Self.grammar(example.schema)
    for text in example.fits {
      #expect(try grammar.reads(text.utf8).isWhole, "\(text)")
      for length in 0..<text.utf8.count { #expect(try grammar.reads(text.utf8.prefix(length)).begins, "\(text)") }
    }
    for text in example.fails { #expect(try !grammar.reads(text.utf8).isWhole, "\(text)") }
  }

  @Test func anyObjectIsAnyObject() throws {
    let grammar = try SchemaCompiler.anyObject()
    for text in ["{}", "{ }", #"{"a":[1,{"b":null}],"c":"\u0000"}"#, "{\n  \"a\": [\n    1,\n    2\n  ]\n}"] {
      #expect(try grammar.reads(text.utf8).isWhole, "\(text)")
    }
    for text in ["[]", "{", "{}{}", #"{"a"}"#, #"{"a":}"#, "{\"a\":\"\n\"}", #"{"a":tru}"#] {
      #expect(try !grammar.reads(text.utf8).isWhole, "\(text)")
    }
    #expect(try !grammar.reads([0x7b, 0x22, 0xc3, 0x28]).begins, "no character of UTF-8 begins like this")
  }

  @Test(arguments: [
    (#"{"type":"object","properties":{"a":{"type":"integer","multipleOf":3}}}"#, ".properties.a.multipleOf"),
    (#"{"type":"string","format":"iri"}"#, ".format"), (#"{"type":"string","pattern":"(?=a)"}"#, ".pattern"),
    (#"{"type":"array","uniqueItems":true}"#, ".uniqueItems"), (#"{"not":{}}"#, ".not"),
    (#"{"type":"object","properties":{},"required":["a"]}"#, ".required"),
  ]) func aStrictSchemaNamesWhatIsNotHeld(schema: String, path: String) throws {
    let fault = #expect(throws: GrammarFault.self) { try Self.grammar(schema) }
    #expect(fault?.path == path)
    #expect(throws: Never.self) { try Self.grammar(schema, isStrict: false) }
  }

  @Test(arguments: [
    "5", #"{"type":"thing"}"#, ##"{"$ref":"#"}"##, ##"{"$ref":"#/$defs/x"}"##, #"{"$ref":"http://x"}"#,
    #"{"enum":[]}"#, #"{"anyOf":[]}"#, #"{"type":"integer","minimum":3,"maximum":2}"#,
    #"{"type":"string","minLength":3,"maxLength":2}"#, #"{"type":"array","items":false,"minItems":2}"#,
    ##"{"type":"object","properties":{"a":{"$ref":"#"}},"required":["a"]}"##, #"{"properties":[]}"#, "false",
    #"{"type":"number","minimum":0.2,"maximum":0.8}"#,
  ]) func aSchemaThatNothingFitsIsRefused(schema: String) throws {
    #expect(throws: GrammarFault.self) { try Self.grammar(schema, isStrict: false) }
  }

  /// Large, deep and ambiguous schemas end in a form or a sentence, and soon.
  @Test func hostileSchemasAreBounded() throws {
    func nested(_ depth: Int, _ inner: String) -> String {
      String(repeating: #"{"type":"array","items":"#, count: depth) + inner + String(repeating: "}", count: depth)
    }
    let many = (0..<900).map { #""p\#($0)":{"type":"string","maxLength":4000}"# }.joined(separator: ",")
    let same = (0..<600).map { #"{"type":"object","properties":{"a\#($0)":{}}}"# }.joined(separator: ",")
    let schemas = [
      nested(60, "{}"), #"{"type":"object","properties":{"# + many + "}}", #"{"anyOf":["# + same + "]}",
      ##"{"anyOf":[{"$ref":"#"},{"$ref":"#"},{"type":"null"}]}"##, nested(40, #"{"type":"string","maxLength":4096}"#),
      #"{"type":"string","pattern":"^(((a{1000}){1000}){1000}){1000}$"}"#,
      #"{"type":"string","pattern":"(a|a|aa|b*)*(a|a|aa|b*)*(a|a|aa|b*)*$"}"#,
    ]
    for schema in schemas {
      guard let value = try? JSONParser.parse(schema) else { continue }
      do throws(GrammarFault) {
        let grammar = try SchemaCompiler.grammar(value, isStrict: false)
        _ = try grammar.reads("{\"a\":[[[\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab".utf8)
      } catch { #expect(!error.reason.isEmpty) }
    }
  }

  @Test func mutatedSchemasNeverTrap() {
    let seed = UInt64.random(in: 0...UInt64.max)
    var dice = Dice(seed: seed)
    let words = Self.cases.map(\.schema) + [##""$ref":"#""##, "{", "}", "[", "]", "\"", "-1", "1e9", "null", "true"]
    var compiled = 0
    for _ in 0..<20_000 {
      var text = Array((Self.cases.randomElement(using: &dice)?.schema ?? "").utf8)
      for _ in 0..<Int.random(in: 1...4, using: &dice) {
        let place = Int.random(in: 0..<max(1, text.count), using: &dice)
        let piece = Array((words.randomElement(using: &dice) ?? "").utf8.prefix(Int.random(in: 0...40, using: &dice)))
        text.replaceSubrange(place..<min(text.count, place + Int.random(in: 0...6, using: &dice)), with: piece)
      }
      guard let value = try? JSONParser.parse(String(decoding: text, as: UTF8.self)),
        let grammar = try? SchemaCompiler.grammar(value, isStrict: Bool.random(using: &dice))
      else { continue }
      compiled += 1
      _ = try? grammar.reads(Self.cases[compiled % Self.cases.count].fits[0].utf8)
    }
    #expect(compiled > 100, "seed \(seed)")
  }
}

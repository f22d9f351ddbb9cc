import EdgeCore
import FoundationEssentials
import Testing

@Suite struct ValueTests {
  @Test(arguments: [
    "{}", " { \"a\" : [ 1 , -2.5e+3 , true , false , null , \"\\u00e9\\n\" , {} , [] ] } \n", "{\"é\":\"✓\"}",
    "{\"a\":0}",
  ])
  func validObjectsPass(_ text: String) throws {
    try JSONCheck.object(Array(text.utf8), depthLimit: 8)
  }

  @Test(arguments: [
    "", "[]", "1", "{", "{]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{\"a\":01}", "{\"a\":.5}", "{\"a\":1.}",
    "{\"a\":1e}",
    "{\"a\":-}", "{\"a\":tru}", "{\"a\":\"\n\"}", "{\"a\":\"\\x\"}", "{\"a\":\"\\u12\"}", "{\"a\":\"", "{} {}", "{a:1}",
    "{'a':1}",
    "{\"a\":NaN}", "{\"a\":[1,]}", "{\"a\":1]",
  ])
  func everythingElseIsRefused(_ text: String) {
    #expect(throws: EdgeFailure.self) { try JSONCheck.object(Array(text.utf8), depthLimit: 8) }
  }

  @Test func depthAndEncodingAreChecked() throws {
    func nested(_ depth: Int) -> [UInt8] {
      Array("{\"a\":\(String(repeating: "[", count: depth))\(String(repeating: "]", count: depth))}".utf8)
    }
    try JSONCheck.object(nested(7), depthLimit: 8)
    #expect(throws: EdgeFailure.self) { try JSONCheck.object(nested(8), depthLimit: 8) }
    #expect(throws: EdgeFailure.self) { try JSONCheck.object(nested(1_000_000), depthLimit: 64) }
    #expect(throws: EdgeFailure.self) {
      try JSONCheck.object([0x7B, 0x22, 0xFF, 0x22, 0x3A, 0x31, 0x7D], depthLimit: 8)
    }
  }

  @Test func writtenStringsReadBackTheSame() throws {
    let text = "a\"b\\c\n\r\t\u{0}\u{1F}\u{7F}\u{2028}é✓🙂/"
    let back = try JSONDecoder().decode([String].self, from: Data("[\(JSONText.string(text))]".utf8))
    #expect(back == [text])
  }

  @Test func settingsRefuseWhatTheyDoNotKnow() throws {
    func read(_ text: String) throws -> EdgeSettings {
      try JSONDecoder().decode(EdgeSettings.self, from: Data(text.utf8))
    }
    #expect(try read("{}") == EdgeSettings())
    #expect(try read("{\"calls\":3,\"fetch_allow\":[\"a\"]}").calls == 3)
    #expect(throws: DecodingError.self) { try read("{\"cals\":3}") }
    #expect(throws: DecodingError.self) { try read("{\"calls\":0}") }
    #expect(throws: DecodingError.self) { try read("{\"calls\":\"many\"}") }
  }

  @Test func theHostsCatalogIsRead() throws {
    let catalog = try Catalog.decode(
      """
      {"host":{"version":"0.1.0"},"revision":3,"plugins":[{"id":"a","version":"1","summary":"s","library_sha256":"00",
      "generation":1,"state":"serving","methods":[{"name":"m","signature":"m(n: u32) -> (s: stream<text>)","summary":"",
      "flags":["public","streams"],"parameters":[{"name":"n","type":"u32","default":5}],
      "results":[{"name":"s","type":"stream<text>"}],"calls":1,"errors":0}],"routes":[]}]}
      """)
    let method = try #require(catalog.plugins.first?.methods.first)
    #expect(method.isStream && method.isPublic && !method.isTransition)
    #expect(method.parameters.first?.default?.json == "5")
    #expect(throws: EdgeFailure.self) { try Catalog.decode("{}") }
  }

  @Test func literalRoutesComeBeforePatterns() {
    var catalog = Catalog.sample
    catalog.plugins[1].routes = [
      .init(verb: "GET", path: "/x/{a}/{b}", method: "two"), .init(verb: "GET", path: "/x/{a}/z", method: "one"),
      .init(verb: "GET", path: "/x/y/z", method: "none"),
    ]
    let table = RouteTable(catalog)
    #expect(
      table.match(verb: "GET", path: "/x/y/z") == .found(.declared(method: "application.none"), pattern: "/x/y/z"))
    #expect(
      table.match(verb: "GET", path: "/x/q/z") == .found(.declared(method: "application.one"), pattern: "/x/{a}/z"))
    #expect(
      table.match(verb: "GET", path: "/x/q/r") == .found(.declared(method: "application.two"), pattern: "/x/{a}/{b}"))
  }
}

import ApplicationCore
import Testing

@Suite struct EmbeddingsTests {
  private func send(
    _ members: String, to surroundings: FakeSurroundings = FakeSurroundings(), node: FakeNode? = nil,
    client: FakeClient = FakeClient()
  ) throws -> FakeClient {
    try (node ?? FakeNode()).send(
      "POST", "/v1/embeddings", "{\"model\":\"tiny\",\(members)}", to: surroundings, client: client)
  }

  @Test func textsBecomeVectorsAndAreChargedForWhatWasRead() throws {
    let node = try FakeNode()
    let client = try send(#""input":["a","bcd"],"user":"u""#, node: node)
    #expect(client.status == 200 && client[header: "x-symbolon-charged"] == "20")
    #expect(
      client.json == [
        "object": "list",
        "data": [
          ["object": "embedding", "index": 0, "embedding": [.number("1.0"), .number("-0.5")]],
          ["object": "embedding", "index": 1, "embedding": [.number("3.0"), .number("-0.5")]],
        ],
        "model": "tiny", "usage": ["prompt_tokens": 20, "total_tokens": 20],
      ])
    #expect(node.entry.charged == Amount(20) && node.entry.reserved == .zero && node.entry.tokens.prompt == 20)
  }

  @Test func base64IsLittleEndianBinary32() throws {
    let client = try send(#""input":"a","encoding_format":"base64""#)
    #expect(client.json["data"]?.arrayValue?.first?["embedding"] == "AACAPwAAAL8=")
  }

  /// The vectors of RFC 4648, section 10.
  @Test(arguments: [
    ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
    ("foobar", "Zm9vYmFy"),
  ])
  func base64IsThatOfTheStandard(plain: String, encoded: String) {
    #expect(Base64.text(Array(plain.utf8)) == encoded)
  }

  @Test func theEnginesVectorsAreRead() throws {
    let json = #"{"model":"m","embeddings":[[0.1,-1e-07],[1,2]],"prompt_tokens":4}"#
    let embeddings = try #require(Embeddings(JSONParser.parse(Array(json.utf8))))
    #expect(embeddings == Embeddings(vectors: [[0.1, -1e-07], [1, 2]], promptTokens: 4))
    #expect(Embeddings(["embeddings": [["x"]], "prompt_tokens": 1]) == nil)
  }

  @Test(arguments: [
    (#""input":[1,2]"#, "input", "unsupported_value"), (#""input":[[1],[2]]"#, "input", "unsupported_value"),
    (#""input":"""#, "input", "invalid_value"), (#""input":["a",""]"#, "input[1]", "invalid_value"),
    (#""input":[]"#, "input", "empty_array"), (#""input":["a",null]"#, "input[1]", "invalid_type"),
    (#""input":"a","dimensions":8"#, "dimensions", "unsupported_parameter"),
    (#""input":"a","encoding_format":"int8""#, "encoding_format", "unsupported_value"),
    (#""input":"a","temperature":1"#, "temperature", "unknown_parameter"),
    (#""user":"a""#, "input", "missing_required_parameter"),
  ])
  func wrongParametersAreNamed(members: String, parameter: String, code: String) throws {
    let client = try send(members)
    #expect(client.status == 400)
    #expect(client.error?["param"] == .string(parameter) && client.error?["code"] == .string(code))
  }

  @Test func tooLongTextsNameTheirPlace() throws {
    let client = try send(#""input":["a","b"]"#, to: FakeSurroundings { $0.promptTokens = 101 })
    #expect(client.error?["code"] == "context_length_exceeded" && client.error?["param"] == "input[0]")
  }

  @Test func failuresAndEmptyKeysCostNothing() throws {
    let node = try FakeNode(budget: 19)
    #expect(try send(#""input":["a","b"]"#, node: node).status == 402)
    let busy = Refusal(.rateLimited, "engine_busy", "Busy.")
    #expect(try send(#""input":"a""#, to: FakeSurroundings { $0.startFailure = busy }, node: node).status == 429)
    _ = try send(#""input":"a""#, node: node, client: FakeClient(leavesAfter: 1))
    #expect(node.entry.charged == .zero && node.entry.reserved == .zero)
  }

  @Test func aRepeatIsAnsweredFromMemory() throws {
    let node = try FakeNode()
    let headers = [("Authorization", "Bearer " + node.secret.text), ("Idempotency-Key", "k")]
    let body = #"{"model":"tiny","input":"a"}"#
    let first = node.send("POST", "/v1/embeddings", body, headers: headers)
    let second = node.send("POST", "/v1/embeddings", body, headers: headers)
    #expect(second.body == first.body && second[header: "x-symbolon-charged"] == "0")
    #expect(node.entry.charged == Amount(10))
  }
}

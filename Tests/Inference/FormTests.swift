import Foundation
import InferenceCore
import Testing

/// Answers in a form: whatever the model likes, the text fits.
struct FormTests {
  private static let schema =
    #"{"type":"object","properties":{"name":{"type":"string","maxLength":12},"age":{"type":"integer","minimum":0,"maximum":150},"#
    + #""tags":{"type":"array","items":{"enum":["red","green","blue"]},"maxItems":3}},"required":["name","age","tags"],"#
    + #""additionalProperties":false}"#

  private static func format(_ schema: String) -> String {
    #""response_format":{"type":"json_schema","json_schema":{"name":"x","strict":true,"schema":\#(schema)}}"#
  }

  private static func request(_ format: String, seed: UInt64, more: String = "") throws -> GenerationRequest {
    try GenerationRequest(
      json: #"{"prompt":"Tell me: ","max_tokens":400,"temperature":2,"seed":\#(seed),\#(format)\#(more)}"#, seed: seed)
  }

  private static func answer(
    _ engine: InferenceEngine, _ request: GenerationRequest
  ) throws -> (text: String, finish: GenerationEvent.FinishReason?) {
    var text = ""
    var finish: GenerationEvent.FinishReason?
    try engine.generate(request) { event in
      switch event {
      case .text(let piece, _, _): text += piece
      case .end(let reason, _, _, _, _): finish = reason
      default: break
      }
    }
    return (text, finish)
  }

  private static func engine(
    _ file: TemporaryFile, _ change: (inout InferenceEngine.Options) -> Void = { _ in }
  ) throws -> InferenceEngine {
    var options = InferenceEngine.Options()
    options.threads = 2
    change(&options)
    return try InferenceEngine([InferenceEngine.Source(path: file.path, id: "m")], options: options)
  }

  /// Whether a text is what the schema above asks for.
  private static func fits(_ text: String) throws -> Bool {
    let value = try JSONParser.parse(text)
    guard let members = value.object, members.map(\.name) == ["name", "age", "tags"],
      let name = value["name"]?.string, let age = value["age"]?.integer(Int.self), let tags = value["tags"]?.array
    else { return false }
    return name.unicodeScalars.count <= 12 && (0...150).contains(age) && tags.count <= 3
      && tags.allSatisfy { ["red", "green", "blue"].contains($0.string) }
  }

  @Test(arguments: [true, false]) func everyAnswerFitsItsSchema(ends: Bool) throws {
    let file = try TemporaryFile(TinyModel(ends: ends, seed: 5).bytes())
    defer { withExtendedLifetime(file) {} }
    let engine = try Self.engine(file)
    defer { engine.close() }
    var whole = 0
    for seed in 0..<200 as Range<UInt64> {
      let (text, finish) = try Self.answer(engine, try Self.request(Self.format(Self.schema), seed: seed))
      guard finish == .stop else { continue }
      whole += 1
      #expect(try Self.fits(text), "seed \(seed): \(text)")
    }
    #expect(whole > 150, "\(whole) came to an end")
  }

  @Test func anyObjectIsJSON() throws {
    let file = try TemporaryFile(TinyModel(seed: 6).bytes())
    defer { withExtendedLifetime(file) {} }
    let engine = try Self.engine(file)
    defer { engine.close() }
    var whole = 0
    for seed in 0..<60 as Range<UInt64> {
      let request = try Self.request(#""response_format":{"type":"json_object"}"#, seed: seed)
      let (text, finish) = try Self.answer(engine, request)
      #expect(text.isEmpty || text.hasPrefix("{"))
      guard finish == .stop else { continue }
      whole += 1
      #expect(try JSONParser.parse(text).object != nil, "seed \(seed): \(text)")
    }
    #expect(whole > 0)
  }

  /// Threads, instruction sets, guesses and company change nothing.
  @Test func aFormedAnswerHasTheSameBytesHoweverItIsMade() throws {
    let file = try TemporaryFile(TinyModel(seed: 7).bytes())
    defer { withExtendedLifetime(file) {} }
    let requests = try (0..<8 as Range<UInt64>).map { seed in
      var request = try Self.request(Self.format(Self.schema), seed: seed)
      request.sampling.temperature = seed % 2 == 0 ? 0 : 1
      return request
    }
    let plain = try Self.engine(file) { ($0.threads, $0.speculation, $0.prefixCache) = (1, false, false) }
    let expected = try requests.map { try Self.answer(plain, $0).text }
    plain.close()
    for guesses in [1, 4] {
      let engine = try Self.engine(file) { $0.guesses = guesses }
      defer { engine.close() }
      let group = DispatchGroup()
      for (request, text) in zip(requests, expected) {
        group.enter()
        Thread.detachNewThread {
          let found = try? Self.answer(engine, request).text
          #expect(found == text)
          group.leave()
        }
      }
      group.wait()
    }
  }

  @Test func aSchemaThatIsNotHeldIsRefusedByName() throws {
    let file = try TemporaryFile(TinyModel(seed: 8).bytes())
    defer { withExtendedLifetime(file) {} }
    let engine = try Self.engine(file)
    defer { engine.close() }
    let request = try Self.request(
      Self.format(#"{"type":"object","properties":{"a":{"not":{}}},"required":["a"]}"#), seed: 1)
    let error = #expect(throws: InferenceError.self) { _ = try Self.answer(engine, request) }
    #expect(error?.kind == .invalidRequest)
    #expect(error?.parameter == "response_format.json_schema.schema.properties.a.not")
  }

  /// What the masks of the real vocabulary cost: printed, not judged.
  @Test func theRealModelAnswersInAForm() throws {
    let engine = try InferenceEngine([InferenceEngine.Source(path: try RealModel.path(), id: "m")])
    defer { engine.close() }
    let request = try GenerationRequest(
      json: #"{"messages":[{"role":"user","content":"Invent a person."}],"max_tokens":120,"temperature":0,"#
        + Self.format(Self.schema) + "}", seed: 1)
    var times: [Double] = []
    var texts: Set<String> = []
    for _ in 0..<2 {
      let began = ContinuousClock.now
      let (text, finish) = try Self.answer(engine, request)
      times.append(Double((ContinuousClock.now - began).components.attoseconds) / 1e18)
      #expect(try finish == .stop && Self.fits(text), "\(text)")
      texts.insert(text)
    }
    #expect(texts.count == 1)
    print("form: \(texts.first ?? ""), first \(times[0]) s, then \(times[1]) s")
  }
}

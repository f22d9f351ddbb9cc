import ApplicationCore
import Synchronization

/// The other layers as a test wants them: an engine that says `words` and can fail, wait and be left.
final class FakeSurroundings: Surroundings, Sendable {
  struct Script: Sendable {
    var words = ["Hello", " world", "!"]
    var countFailure: Refusal?
    var startFailure: Refusal?
    /// Fails after so many words.
    var failureAfterWords: Int?
    var finishReason = "stop"
    var parameters = Parameters(temperature: 0.5, maximumTokens: 50, systemPrompt: "Be brief.")
    var price = Price(version: 1, prompt: 1000, completion: 2000)
    var promptTokens: UInt64 = 10
    var cachedTokens: UInt64 = 4
    var toolCalls: [ToolCall] = []
    /// Of the request with this number alone; nil: `failureAfterWords` holds for all.
    var failingRequest: Int?
    /// Ends without a word, as no engine should.
    var isSilent = false
    var isCancelled = false
    var models = [
      Model(
        id: "tiny", sha256: "ab", quantization: "Q4_1", contextLength: 100, created: 5, fingerprint: "class-1"),
      Model(id: "org/other", sha256: "cd", quantization: "F16", contextLength: 100, created: 6),
    ]
    /// Runs before each word.
    var onWord: @Sendable (Int) -> Void = { _ in }
  }

  let script: Mutex<Script>
  let asked = Mutex<[EngineRequest]>([])

  init(_ change: (inout Script) -> Void = { _ in }) {
    var script = Script()
    change(&script)
    self.script = Mutex(script)
  }

  private var now: Script { script.withLock { $0 } }
  var isCancelled: Bool { now.isCancelled }
  func onOtherThread(
    isStopped: @escaping @Sendable () -> Bool, _ body: (any Surroundings) throws -> Void
  ) throws { try body(self) }
  func models() throws -> [Model] { now.models }
  func parameters() throws -> Parameters { now.parameters }
  func price() throws -> Price { now.price }

  func count(_ request: EngineRequest) throws -> UInt64 {
    if let failure = now.countFailure { throw failure }
    return now.promptTokens
  }

  func embed(_ request: EmbeddingRequest, caller: String) throws -> Embeddings {
    if let failure = now.startFailure { throw failure }
    let vectors = request.inputs.map { [Float($0.utf8.count), -0.5] }
    return Embeddings(vectors: vectors, promptTokens: now.promptTokens * UInt64(request.inputs.count))
  }

  func generate(_ request: EngineRequest, _ onEvent: (EngineEvent) throws -> Void) throws {
    let number = asked.withLock { asked in
      asked.append(request)
      return asked.count - 1
    }
    let script = now
    if let failure = script.startFailure { throw failure }
    if script.isSilent { return }
    try onEvent(.start(promptTokens: script.promptTokens, cachedTokens: script.cachedTokens))
    let words = script.words.prefix(Int(clamping: request.maximumTokens))
    for (index, word) in words.enumerated() {
      if index == script.failureAfterWords, script.failingRequest ?? number == number {
        throw Refusal(.internalFault, "engine_broke", "The engine broke.")
      }
      script.onWord(index)
      let entries = request.logprobs.map { [Self.logprob(word, Int($0))] } ?? []
      try onEvent(.text(word, tokens: UInt64(index + 1), logprobs: entries))
    }
    for call in script.toolCalls { try onEvent(.toolCall(call)) }
    let tokens = TokenCounts(prompt: script.promptTokens, completion: UInt64(words.count))
    try onEvent(
      .end(
        finishReason: words.count < script.words.count ? "length" : script.finishReason, tokens: tokens,
        cachedTokens: script.cachedTokens, receipt: request.wantsReceipt ? ["trace_root": "00"] : nil))
  }

  /// A word as a token that was likely, and others that were less so.
  static func logprob(_ word: String, _ alternatives: Int) -> TokenLogprob {
    func candidate(_ text: String, _ logprob: String) -> TokenLogprob.Candidate {
      TokenLogprob.Candidate(text: text, bytes: Array(text.utf8), logprob: logprob)
    }
    let top = (0..<alternatives).map { candidate($0 == 0 ? word : "other\($0)", "-\($0).25") }
    return TokenLogprob(chosen: candidate(word, "-0.25"), top: top)
  }
}

/// Collects a response; goes away after a number of messages if told.
final class FakeClient: ResponseOutput, Sendable {
  struct Gone: Error {}
  let messages = Mutex<[[UInt8]]>([])
  private let leavesAfter: Int

  init(leavesAfter: Int = .max) { self.leavesAfter = leavesAfter }

  func write(_ message: [UInt8]) throws {
    try messages.withLock { messages in
      guard messages.count < leavesAfter else { throw Gone() }
      messages.append(message)
    }
  }

  private var head: JSONValue { messages.withLock { ($0.first.flatMap { try? JSONParser.parse($0) }) ?? .null } }
  var status: UInt64? { head["status"]?.unsignedValue }
  subscript(header name: String) -> String? { head["headers"]?[name]?.stringValue }
  var body: String { messages.withLock { String(decoding: $0.dropFirst().joined(), as: UTF8.self) } }
  var json: JSONValue { (try? JSONParser.parse(Array(body.utf8))) ?? .null }
  var error: JSONValue? { json["error"] }

  /// The payloads of a stream of server-sent events.
  var events: [JSONValue] {
    body.split(separator: "\n").compactMap { line in
      line.hasPrefix("data: {") ? try? JSONParser.parse(Array(line.utf8.dropFirst(6))) : nil
    }
  }
}

/// A gateway with one funded key, in memory.
struct FakeNode {
  let time = FakeTime()
  let disk = SimulatedDisk(Power())
  let ledger = MemoryLedger(Power())
  let meter: Meter
  let settler: Settler
  let office: KeyOffice
  let gateway: Gateway
  let summaries = Summaries()
  let secret = TicketSecret(random: [UInt8](repeating: 5, count: 32))

  final class Summaries: Sendable {
    let list = Mutex<[Gateway.Summary]>([])
  }

  init(budget: UInt64 = 100_000, rate: RateLimit = RateLimit()) throws {
    meter = try Meter(store: disk, limits: Meter.Limits(rate: rate), clock: time.clock)
    settler = Settler(meter: meter, ledger: ledger) { _ in }
    office = KeyOffice(meter: meter, settler: settler, ledger: ledger, revokeWaitMilliseconds: 0)
    gateway = Gateway(
      meter: meter, clock: time.clock, random: { [UInt8](repeating: 1, count: $0) },
      observe: { [summaries] summary in summaries.list.withLock { $0.append(summary) } })
    try office.open(secret.hash, budget: Amount(budget))
  }

  var entry: KeyEntry { meter.book.keys[secret.hash] ?? KeyEntry(phase: .closed, budget: .zero) }

  @discardableResult
  func send(
    _ verb: String = "POST", _ path: String = "/v1/chat/completions", _ body: String = chatBody(),
    headers: [(String, String)]? = nil, to surroundings: FakeSurroundings = FakeSurroundings(),
    client: FakeClient = FakeClient()
  ) -> FakeClient {
    let headers = headers ?? [("Authorization", "Bearer " + secret.text)]
    gateway.handle(
      HTTPRequest(verb: verb, path: path, headers: headers, body: Array(body.utf8)), surroundings, client)
    return client
  }
}

func chatBody(_ more: String = "") -> String {
  #"{"model":"tiny","messages":[{"role":"user","content":"hi"}]\#(more)}"#
}

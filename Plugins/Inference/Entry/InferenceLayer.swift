import InferenceCore
import PluginKit
import Synchronization

/// What `inference.models` tells of a model.
typealias ModelView = InferenceEngine.Description

/// The layer between the host and the engine.
final class InferenceLayer: Sendable {
  let host: Host
  private let sources: [InferenceEngine.Source]
  private let options: InferenceEngine.Options
  private let engine = Mutex<InferenceEngine?>(nil)

  /// Reads the settings; loads nothing yet.
  init(_ host: Host) throws(Failure) {
    let settings = try host.settings(as: Settings.self)
    var options = try settings.options()
    options.storage = host.storage
    options.progress = LoadReport(host).hear
    options.receipts = { record in
      try Receipt(record, provider: try host.publicKey(), sign: { try host.sign($0) }).json.text
    }
    self.host = host
    self.options = options
    sources = try settings.sources()
  }

  /// Loads the models.
  func start() throws(Failure) {
    let began = host.clock.monotonicNanoseconds
    let loaded = try failing { () throws(InferenceError) in try InferenceEngine(sources, options: options) }
    let milliseconds = (host.clock.monotonicNanoseconds - began) / 1_000_000
    engine.withLock { $0 = loaded }
    if let refusal = loaded.refusal { return host.log.error(refusal.sentence, ["code": refusal.code]) }
    let models = loaded.models
    guard !models.isEmpty else {
      return host.log.warning(
        "no models: set `models` or `folder` in [plugin.inference.settings], or call inference.load", [:])
    }
    host.log.info(
      "models ready",
      [
        "loaded": models.filter { $0.state == "loaded" }.map(\.id).joined(separator: ", "),
        "known": models.filter { $0.state != "loaded" }.map(\.id).joined(separator: ", "),
        "milliseconds": "\(milliseconds)", "path": loaded.path,
      ])
  }

  /// Ends what still runs.
  func stop() { engine.withLock { $0.take() }?.close() }

  func models() throws(Failure) -> [ModelView] { try running().models }

  func count(_ request: JSON) throws(Failure) -> UInt32 {
    let engine = try running()
    return UInt32(
      clamping: try failing { try engine.count(try GenerationRequest(json: request.text, seed: 0)) })
  }

  /// Answers; ends early when the receiver leaves, the call is cancelled or its deadline passes.
  func generate(_ call: Call, _ out: Output, _ request: JSON) throws {
    let engine = try running()
    let seed = try host.random(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    let parsed = try failing { () throws(InferenceError) in try GenerationRequest(json: request.text, seed: seed) }
    // Before anything is computed: a node that was not granted its key can sign nothing.
    if parsed.receipt { _ = try host.publicKey() }
    do {
      try engine.generate(parsed, deadline: call.deadline, isCancelled: { call.isCancelled }) { event in
        try out.write(event.json)
      }
    } catch let error as InferenceError {
      throw Failure(error)
    }
  }

  /// Texts as vectors.
  func embed(_ call: Call, _ request: JSON) throws(Failure) -> EmbeddingView {
    let engine = try running()
    let wire = try request.decode(EmbeddingWire.self)
    let embeddings = try failing {
      try engine.embed(
        InferenceEngine.EmbeddingRequest(
          model: wire.model, input: wire.input, caller: wire.caller.map { String($0.prefix(64)) }),
        deadline: call.deadline, isCancelled: { call.isCancelled })
    }
    return EmbeddingView(
      model: embeddings.model, embeddings: embeddings.vectors, prompt_tokens: embeddings.promptTokens)
  }

  /// Loads a model that is known by its id, or a file.
  func load(_ call: Call, _ request: JSON) throws(Failure) -> ModelView {
    let engine = try running()
    let wire = try request.decode(LoadWire.self)
    switch (wire.id, wire.path) {
    case (let id?, nil) where wire.sha256 == nil:
      return try failing { try engine.load(id: id, isCancelled: { call.isCancelled }) }
    case (let id, let path?):
      let source = InferenceEngine.Source(path: ModelFolder.expanded(path), sha256: wire.sha256, id: id)
      return try failing { try engine.load(source, isCancelled: { call.isCancelled }) }
    default:
      throw Failure(
        .invalidArgument, "invalid_request", "Give the `id` of a known model, or the `path` of a .gguf file, to load.")
    }
  }

  /// Unloads a model when its running answers have ended.
  func unload(_ id: String) throws(Failure) {
    let engine = try running()
    try failing { try engine.unload(id) }
  }

  private func running() throws(Failure) -> InferenceEngine {
    guard let engine = engine.withLock({ $0 }) else {
      throw Failure(.unavailable, "engine_stopping", "The engine is not running: try again when the node is ready.")
    }
    return engine
  }
}

/// `inference.embed`'s request.
private struct EmbeddingWire: Decodable {
  let model: String?
  let input: [String]
  let caller: String?
}

/// `inference.embed`'s result.
struct EmbeddingView: Codable {
  let model: String
  let embeddings: [[Float]]
  let prompt_tokens: Int
}

/// `inference.load`'s request.
private struct LoadWire: Decodable {
  let id: String?
  let path: String?
  let sha256: String?
}

/// Runs a part of the core; its errors become failures.
func failing<Value>(_ body: () throws -> Value) throws(Failure) -> Value {
  do { return try body() } catch let error as InferenceError { throw Failure(error) } catch {
    throw error as? Failure ?? Failure(.internal, "internal", "\(error)")
  }
}

extension Failure {
  /// The failure that tells a caller of this layer about an error of the engine.
  init(_ error: InferenceError) {
    let status: Status =
      switch error.kind {
      case .invalidRequest: .invalidArgument
      case .notFound: .notFound
      case .exhausted: .resourceExhausted
      case .unavailable: .unavailable
      case .cancelled: .cancelled
      case .late: .deadlineExceeded
      case .badModel: .failedPrecondition
      case .internal: .internal
      }
    self.init(status, error.code, error.sentence)
  }
}

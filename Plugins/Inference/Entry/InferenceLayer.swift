import InferenceCore
import PluginKit
import Synchronization

/// What `inference.models` tells of a model.
typealias ModelView = InferenceEngine.Description

/// `[plugin.inference.settings]`.
private struct Settings: Decodable {
  /// One model: a path, or a table with the hash it must have and a name.
  enum Model: Decodable {
    case path(String)
    case table(path: String, sha256: String?, id: String?)

    private enum Key: String, CodingKey, CaseIterable { case path, sha256, id }

    init(from decoder: any Decoder) throws {
      if let path = try? decoder.singleValueContainer().decode(String.self) {
        self = .path(path)
        return
      }
      let table = try decoder.container(keyedBy: Key.self)
      self = .table(
        path: try table.decode(String.self, forKey: .path),
        sha256: try table.decodeIfPresent(String.self, forKey: .sha256),
        id: try table.decodeIfPresent(String.self, forKey: .id))
    }

    var source: InferenceEngine.Source {
      switch self {
      case .path(let path): InferenceEngine.Source(path: expanded(path))
      case .table(let path, let sha256, let id):
        InferenceEngine.Source(path: expanded(path), sha256: sha256, id: id)
      }
    }
  }

  let models: [Model]?
  let folder: String?
  let threads: Int?
  let maxQueue: Int?
  let maxActive: Int?
  let context: Int?

  private enum Key: String, CodingKey, CaseIterable {
    case models, folder, threads, context
    case maxQueue = "max_queue"
    case maxActive = "max_active"
  }

  /// Any name, to find those that mean nothing.
  private struct Name: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(stringValue: String) { self.stringValue = stringValue }

    init?(intValue: Int) { nil }
  }

  init(from decoder: any Decoder) throws {
    let names = try decoder.container(keyedBy: Name.self).allKeys.map(\.stringValue)
    if let unknown = names.sorted().first(where: { Key(rawValue: $0) == nil }) {
      let known = Key.allCases.map(\.rawValue).joined(separator: ", ")
      throw DecodingError.dataCorrupted(
        .init(codingPath: [], debugDescription: "there is no setting `\(unknown)`; there are \(known)"))
    }
    let table = try decoder.container(keyedBy: Key.self)
    models = try table.decodeIfPresent([Model].self, forKey: .models)
    folder = try table.decodeIfPresent(String.self, forKey: .folder)
    threads = try table.decodeIfPresent(Int.self, forKey: .threads)
    maxQueue = try table.decodeIfPresent(Int.self, forKey: .maxQueue)
    maxActive = try table.decodeIfPresent(Int.self, forKey: .maxActive)
    context = try table.decodeIfPresent(Int.self, forKey: .context)
  }
}

/// The layer between the host and the engine.
final class InferenceLayer: Sendable {
  private let host: Host
  private let sources: [InferenceEngine.Source]
  private let options: InferenceEngine.Options
  private let engine = Mutex<InferenceEngine?>(nil)

  /// Reads the settings; loads nothing yet.
  init(_ host: Host) throws(Failure) {
    let settings = try host.settings(as: Settings.self)
    var options = InferenceEngine.Options()
    options.threads = try Self.number("threads", settings.threads, 0...64, otherwise: 0)
    options.maxQueue = try Self.number("max_queue", settings.maxQueue, 1...100_000, otherwise: options.maxQueue)
    options.maxActive = try Self.number("max_active", settings.maxActive, 1...64, otherwise: options.maxActive)
    options.context = try Self.number("context", settings.context, 0...1_048_576, otherwise: 0)
    options.storage = host.storage
    self.host = host
    self.options = options
    var sources = (settings.models ?? []).map(\.source)
    if let folder = settings.folder { sources += try Self.files(in: expanded(folder)) }
    guard !sources.isEmpty else {
      throw Failure(
        .invalidArgument, "no_models",
        "[plugin.inference.settings] names no model: set `models = [\"~/.symbolon/models/….gguf\"]` or `folder`.")
    }
    self.sources = sources
  }

  /// Loads the models.
  func start() throws(Failure) {
    let began = host.clock.monotonicNanoseconds
    let loaded = try failing { () throws(InferenceError) in try InferenceEngine(sources, options: options) }
    let milliseconds = (host.clock.monotonicNanoseconds - began) / 1_000_000
    engine.withLock { $0 = loaded }
    host.log.info(
      "models loaded",
      [
        "models": loaded.models.map(\.id).joined(separator: ", "), "milliseconds": "\(milliseconds)",
        "path": loaded.path,
      ])
  }

  /// Ends what still runs.
  func stop() { engine.withLock { $0.take() }?.close() }

  func models() throws(Failure) -> [ModelView] { try running().models }

  func count(_ request: JSON) throws(Failure) -> UInt32 {
    let engine = try running()
    return UInt32(
      clamping: try failing { () throws(InferenceError) in
        try engine.count(try GenerationRequest(json: request.text, seed: 0))
      })
  }

  /// Answers; ends early when the receiver leaves, the call is cancelled or its deadline passes.
  func generate(_ call: Call, _ out: Output, _ request: JSON) throws {
    let engine = try running()
    let seed = try host.random(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    let parsed = try failing { () throws(InferenceError) in try GenerationRequest(json: request.text, seed: seed) }
    do {
      try engine.generate(parsed, isCancelled: { call.isCancelled }) { event in try out.write(event.json) }
    } catch let error as InferenceError {
      throw Failure(error)
    }
  }

  private func running() throws(Failure) -> InferenceEngine {
    guard let engine = engine.withLock({ $0 }) else {
      throw Failure(.unavailable, "engine_stopping", "The engine is not running: try again when the node is ready.")
    }
    return engine
  }

  private static func number(
    _ name: String, _ value: Int?, _ range: ClosedRange<Int>, otherwise: Int
  ) throws(Failure) -> Int {
    let value = value ?? otherwise
    guard range.contains(value) else {
      throw Failure(
        .invalidArgument, "invalid_settings",
        "[plugin.inference.settings] \(name) = \(value): give a number from \(range.lowerBound) to \(range.upperBound)."
      )
    }
    return value
  }

  /// The .gguf files of a folder, by name.
  private static func files(in folder: String) throws(Failure) -> [InferenceEngine.Source] {
    let paths = try failing { () throws(InferenceError) in try ModelFolder.files(in: folder) }
    guard !paths.isEmpty else {
      throw Failure(.invalidArgument, "no_models", "The folder \(folder) holds no .gguf file: put a model there.")
    }
    return paths.map { InferenceEngine.Source(path: $0) }
  }
}

/// A path whose leading `~/` is the home folder.
private func expanded(_ path: String) -> String { ModelFolder.expanded(path) }

/// Runs a part of the core; its errors become failures.
private func failing<Value>(_ body: () throws(InferenceError) -> Value) throws(Failure) -> Value {
  do throws(InferenceError) { return try body() } catch { throw Failure(error) }
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
      case .badModel: .failedPrecondition
      case .internal: .internal
      }
    self.init(status, error.code, error.sentence)
  }
}

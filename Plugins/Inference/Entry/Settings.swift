import InferenceCore
import PluginKit

/// `[plugin.inference.settings]`.
struct Settings: Decodable {
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
      case .path(let path): InferenceEngine.Source(path: ModelFolder.expanded(path))
      case .table(let path, let sha256, let id):
        InferenceEngine.Source(path: ModelFolder.expanded(path), sha256: sha256, id: id)
      }
    }
  }

  let models: [Model]?
  let folder: String?
  let threads: Int?
  let maxQueue: Int?
  let maxActive: Int?
  let context: Int?
  let kvMemory: Int?
  let modelMemory: Int?
  let loadOnDemand: Bool?
  let prefixCache: Bool?
  let speculation: Bool?

  private enum Key: String, CodingKey, CaseIterable {
    case models, folder, threads, context, speculation
    case maxQueue = "max_queue"
    case maxActive = "max_active"
    case kvMemory = "kv_memory"
    case modelMemory = "model_memory"
    case loadOnDemand = "load_on_demand"
    case prefixCache = "prefix_cache"
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
      let known = Key.allCases.map(\.rawValue).sorted().joined(separator: ", ")
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
    kvMemory = try table.decodeIfPresent(Int.self, forKey: .kvMemory)
    modelMemory = try table.decodeIfPresent(Int.self, forKey: .modelMemory)
    loadOnDemand = try table.decodeIfPresent(Bool.self, forKey: .loadOnDemand)
    prefixCache = try table.decodeIfPresent(Bool.self, forKey: .prefixCache)
    speculation = try table.decodeIfPresent(Bool.self, forKey: .speculation)
  }

  /// How the engine shall work, each number in its range; memory is given in MiB.
  func options() throws(Failure) -> InferenceEngine.Options {
    var options = InferenceEngine.Options()
    options.threads = try Self.number("threads", threads, 0...64, otherwise: 0)
    options.maxQueue = try Self.number("max_queue", maxQueue, 1...100_000, otherwise: options.maxQueue)
    options.maxActive = try Self.number("max_active", maxActive, 1...128, otherwise: options.maxActive)
    options.context = try Self.number("context", context, 0...1_048_576, otherwise: 0)
    options.kvMemory = try Self.number("kv_memory", kvMemory, 0...16_777_216, otherwise: 0) << 20
    options.modelMemory = try Self.number("model_memory", modelMemory, 0...16_777_216, otherwise: 0) << 20
    options.loadsOnDemand = loadOnDemand ?? options.loadsOnDemand
    options.prefixCache = prefixCache ?? options.prefixCache
    options.speculation = speculation ?? options.speculation
    return options
  }

  /// The models, in order; none is allowed, for a node that loads them later.
  func sources() throws(Failure) -> [InferenceEngine.Source] {
    var sources = (models ?? []).map(\.source)
    guard let folder else { return sources }
    let path = ModelFolder.expanded(folder)
    let files = try failing { try ModelFolder.files(in: path) }
    guard !files.isEmpty else {
      throw Failure(.invalidArgument, "no_models", "The folder \(path) holds no .gguf file: put a model there.")
    }
    sources += files.map { InferenceEngine.Source(path: $0) }
    return sources
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
}

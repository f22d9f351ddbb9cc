import FoundationEssentials

/// What runs here, as the host's catalog says it (`symbolon/services/catalog.h`).
package struct Catalog: Codable, Sendable, Equatable {
  package struct HostInfo: Codable, Sendable, Equatable {
    package var version: String

    package init(version: String) { self.version = version }
  }

  package struct Parameter: Codable, Sendable, Equatable {
    package var name: String
    /// As in `u64` or `stream<json>`.
    package var type: String
    /// The value of callers that leave it out.
    package var `default`: DefaultValue?

    package init(name: String, type: String, default: DefaultValue? = nil) {
      self.name = name
      self.type = type
      self.default = `default`
    }
  }

  /// How long calls took.
  package struct Latency: Codable, Sendable, Equatable {
    package var count: UInt64
    package var sumNanoseconds: UInt64
    /// Pairs of an upper bound in nanoseconds and the calls that took at most that long.
    package var buckets: [[UInt64]]

    enum CodingKeys: String, CodingKey {
      case count, buckets
      case sumNanoseconds = "sum_ns"
    }

    package init(count: UInt64, sumNanoseconds: UInt64, buckets: [[UInt64]]) {
      self.count = count
      self.sumNanoseconds = sumNanoseconds
      self.buckets = buckets
    }
  }

  package struct Method: Codable, Sendable, Equatable {
    package var name: String
    package var signature: String
    package var summary: String
    package var flags: [String]
    package var parameters: [Parameter]
    package var results: [Parameter]
    package var calls: UInt64?
    package var errors: UInt64?
    /// Calls that run now.
    package var inFlight: UInt64?
    package var latency: Latency?

    enum CodingKeys: String, CodingKey {
      case name, signature, summary, flags, parameters, results, calls, errors, latency
      case inFlight = "in_flight"
    }

    package init(
      name: String, signature: String, summary: String, flags: [String], parameters: [Parameter], results: [Parameter],
      calls: UInt64? = nil, errors: UInt64? = nil, inFlight: UInt64? = nil, latency: Latency? = nil
    ) {
      self.inFlight = inFlight
      self.latency = latency
      self.name = name
      self.signature = signature
      self.summary = summary
      self.flags = flags
      self.parameters = parameters
      self.results = results
      self.calls = calls
      self.errors = errors
    }

    package var isPublic: Bool { flags.contains("public") }
    package var isTransition: Bool { flags.contains("transition") }
    package var isStream: Bool { results.last?.type.hasPrefix("stream<") ?? false }
  }

  package struct Route: Codable, Sendable, Equatable {
    package var verb: String
    package var path: String
    package var method: String

    package init(verb: String, path: String, method: String) {
      self.verb = verb
      self.path = path
      self.method = method
    }
  }

  package struct Layer: Codable, Sendable, Equatable {
    package var id: String
    package var version: String
    package var summary: String
    package var state: String?
    package var methods: [Method]
    package var routes: [Route]?
    /// `host` or `worker`.
    package var home: String?
    package var generation: UInt64?
    /// What the operator granted, as in `host:example.org`.
    package var permissions: [String]?

    package init(
      id: String, version: String, summary: String, state: String? = nil, methods: [Method], routes: [Route]? = nil,
      home: String? = nil, generation: UInt64? = nil, permissions: [String]? = nil
    ) {
      self.home = home
      self.generation = generation
      self.permissions = permissions
      self.id = id
      self.version = version
      self.summary = summary
      self.state = state
      self.methods = methods
      self.routes = routes
    }
  }

  package var host: HostInfo
  package var revision: UInt64
  package var plugins: [Layer]

  package init(host: HostInfo, revision: UInt64, plugins: [Layer]) {
    self.host = host
    self.revision = revision
    self.plugins = plugins
  }

  /// The names behind `host:` in what a plugin was granted; none when it is not known.
  package func hostGrants(of plugin: String) -> [String] {
    (plugins.first { $0.id == plugin }?.permissions ?? []).compactMap {
      $0.hasPrefix("host:") ? String($0.dropFirst("host:".count)) : nil
    }
  }

  /// Reads the host's JSON.
  package static func decode(_ json: String) throws(EdgeFailure) -> Catalog {
    do {
      return try JSONDecoder().decode(Catalog.self, from: Data(json.utf8))
    } catch {
      throw EdgeFailure(.internal, "catalog", "The host's catalog is not what the edge understands: \(error).")
    }
  }
}

extension Catalog.Layer {
  /// False for a layer that should do its work and does not; one that the operator took out should not.
  package var isWell: Bool { !["failed", "quarantined"].contains(state ?? "running") }
}

/// A default of a parameter: any JSON value, kept for the OpenAPI document.
package enum DefaultValue: Codable, Sendable, Equatable {
  case null
  case bool(Bool)
  case integer(Int64)
  case unsigned(UInt64)
  case number(Double)
  case text(String)
  case array([DefaultValue])
  case object([String: DefaultValue])

  package init(from decoder: any Decoder) throws {
    let value = try decoder.singleValueContainer()
    if value.decodeNil() {
      self = .null
    } else if let bool = try? value.decode(Bool.self) {
      self = .bool(bool)
    } else if let integer = try? value.decode(Int64.self) {
      self = .integer(integer)
    } else if let unsigned = try? value.decode(UInt64.self) {
      self = .unsigned(unsigned)
    } else if let number = try? value.decode(Double.self) {
      self = .number(number)
    } else if let text = try? value.decode(String.self) {
      self = .text(text)
    } else if let array = try? value.decode([DefaultValue].self) {
      self = .array(array)
    } else {
      self = .object(try value.decode([String: DefaultValue].self))
    }
  }

  package func encode(to encoder: any Encoder) throws {
    var value = encoder.singleValueContainer()
    switch self {
    case .null: try value.encodeNil()
    case .bool(let bool): try value.encode(bool)
    case .integer(let integer): try value.encode(integer)
    case .unsigned(let unsigned): try value.encode(unsigned)
    case .number(let number): try value.encode(number)
    case .text(let text): try value.encode(text)
    case .array(let array): try value.encode(array)
    case .object(let object): try value.encode(object)
    }
  }

  /// As JSON text.
  package var json: String {
    switch self {
    case .null: "null"
    case .bool(let bool): bool ? "true" : "false"
    case .integer(let integer): String(integer)
    case .unsigned(let unsigned): String(unsigned)
    case .number(let number): number.isFinite ? "\(number)" : "null"
    case .text(let text): JSONText.string(text)
    case .array(let array): JSONText.array(array.map(\.json))
    case .object(let object):
      JSONText.object(object.sorted { $0.key < $1.key }.map { ($0.key, $0.value.json) })
    }
  }
}

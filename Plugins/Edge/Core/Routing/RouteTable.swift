/// Finds who answers a path: the edge's own pages, `/v1/methods/…`, then what layers declared.
package struct RouteTable: Sendable {
  /// Who answers.
  package enum Target: Sendable, Equatable {
    case page
    case openAPI
    case health
    case metrics
    case method(String)
    /// `layer.method` that answers a declared route.
    case declared(method: String)
  }

  package enum Match: Sendable, Equatable {
    /// The pattern is the route's name in metrics: it never carries what a client made up.
    case found(Target, pattern: String)
    case wrongVerb(allowed: [String], pattern: String)
    case unknown
  }

  /// One segment of a declared pattern.
  fileprivate enum Segment: Sendable {
    case literal(Substring)
    case any

    func matches(_ text: Substring) -> Bool {
      switch self {
      case .literal(let literal): literal == text
      case .any: !text.isEmpty
      }
    }
  }

  fileprivate struct Pattern: Sendable {
    var text: String
    var segments: [Segment]
    var verbs: [String: String]
  }

  private static let own: [String: Target] = [
    "/": .page, "/openapi.json": .openAPI, "/health": .health, "/metrics": .metrics,
  ]
  private static let methodPrefix = "/v1/methods/"

  private var literals: [String: [String: String]] = [:]
  private var patterns: [Pattern] = []

  /// A path that two layers declare belongs to the first in the catalog.
  package init(_ catalog: Catalog) {
    for layer in catalog.plugins {
      for route in layer.routes ?? [] {
        add(verb: route.verb.uppercased(), path: route.path, method: "\(layer.id).\(route.method)")
      }
    }
    // A pattern that says more comes first: /models/mine before /models/{id}.
    patterns.sort { $0.anySegments < $1.anySegments }
  }

  /// - Parameter path: without the query.
  package func match(verb: String, path: String) -> Match {
    if let target = Self.own[path] {
      guard verb == "GET" || verb == "HEAD" else { return .wrongVerb(allowed: ["GET", "HEAD"], pattern: path) }
      return .found(target, pattern: path)
    }
    if path.hasPrefix(Self.methodPrefix) {
      let pattern = Self.methodPrefix + "{method}"
      guard verb == "POST" else { return .wrongVerb(allowed: ["POST"], pattern: pattern) }
      return .found(.method(String(path.dropFirst(Self.methodPrefix.count))), pattern: pattern)
    }
    if let verbs = literals[path] { return choose(verbs, verb, path) }
    let segments = path.split(separator: "/", omittingEmptySubsequences: false)
    for pattern in patterns where pattern.matches(segments) { return choose(pattern.verbs, verb, pattern.text) }
    return .unknown
  }

  private func choose(_ verbs: [String: String], _ verb: String, _ pattern: String) -> Match {
    guard let method = verbs[verb] else { return .wrongVerb(allowed: verbs.keys.sorted(), pattern: pattern) }
    return .found(.declared(method: method), pattern: pattern)
  }

  private mutating func add(verb: String, path: String, method: String) {
    guard path.contains("{") else {
      if literals[path]?[verb] == nil { literals[path, default: [:]][verb] = method }
      return
    }
    if let index = patterns.firstIndex(where: { $0.text == path }) {
      if patterns[index].verbs[verb] == nil { patterns[index].verbs[verb] = method }
      return
    }
    let segments = path.split(separator: "/", omittingEmptySubsequences: false)
      .map { $0.hasPrefix("{") && $0.hasSuffix("}") ? Segment.any : .literal($0) }
    patterns.append(Pattern(text: path, segments: segments, verbs: [verb: method]))
  }
}

extension RouteTable.Pattern {
  fileprivate var anySegments: Int {
    segments.count { if case .any = $0 { true } else { false } }
  }

  fileprivate func matches(_ path: [Substring]) -> Bool {
    path.count == segments.count && zip(segments, path).allSatisfy { $0.matches($1) }
  }
}

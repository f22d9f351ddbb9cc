import FoundationEssentials

/// A permission token as the node remembers it: what it opens and until when, never the secret itself.
package struct ScopedToken: Codable, Sendable, Equatable {
  /// Eight hexadecimal digits, by which it is revoked.
  package var id: String
  /// What the operator calls it.
  package var name: String
  /// Methods that it opens: `ledger.balance`, `ledger.*`, `*`.
  package var methods: [String]
  /// Unix seconds.
  package var created: UInt64
  /// Unix seconds; nil = until it is revoked.
  package var expires: UInt64?
  /// SHA-256 of the secret, hexadecimal.
  package var sha256: String

  package init(id: String, name: String, methods: [String], created: UInt64, expires: UInt64?, sha256: String) {
    self.id = id
    self.name = name
    self.methods = methods
    self.created = created
    self.expires = expires
    self.sha256 = sha256
  }

  /// Methods that make permissions: no token opens them, so that none can widen itself.
  package static let reserved: Set<String> = ["edge.token_create", "edge.token_revoke", "edge.tokens"]

  /// True when this token names the method.
  package func opens(_ method: String) -> Bool {
    guard !Self.reserved.contains(method) else { return false }
    return methods.contains { $0.hasSuffix("*") ? method.hasPrefix($0.dropLast()) : $0 == method }
  }

  package func isExpired(at now: UInt64) -> Bool { expires.map { now >= $0 } ?? false }

  /// Reads `ledger.*, edge.fetch`.
  static func patterns(_ text: String) throws(EdgeFailure) -> [String] {
    let patterns = text.split { $0 == "," || $0.isWhitespace }.map(String.init)
    guard (1...32).contains(patterns.count), patterns.allSatisfy(isPattern) else {
      throw EdgeFailure(
        .invalidArgument, "bad_methods",
        "`methods` must name 1 to 32 methods, as in \"ledger.balance, data.*\"; `*` may only end a name.",
        parameter: "methods")
    }
    return patterns
  }

  private static func isPattern(_ text: String) -> Bool {
    let stem = text.hasSuffix("*") ? text.dropLast() : text[...]
    let isPlain = stem.utf8.allSatisfy {
      switch $0 {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"),
        UInt8(ascii: "-"), UInt8(ascii: "."):
        true
      default: false
      }
    }
    return isPlain && text.utf8.count <= 128 && (text == "*" || stem.contains("."))
  }

  /// Reads `30d`, `12h`, `never`: the Unix second of the end, or nil for none.
  static func expiry(_ text: String, from now: UInt64) throws(EdgeFailure) -> UInt64? {
    if text == "never" { return nil }
    let units: [Character: UInt64] = ["s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800]
    guard let unit = text.last.flatMap({ units[$0] }), let count = UInt64(text.dropLast()), (1...36_500).contains(count)
    else {
      throw EdgeFailure(
        .invalidArgument, "bad_expires",
        "`expires` must be a number with s, m, h, d or w, as in \"30d\", at most 36500 of them; or \"never\".",
        parameter: "expires")
    }
    return now + count * unit
  }
}

/// One thing that a plugin asks for, as `symbolon/extensions/permissions.h` writes it.
package struct Permission: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// What kind of thing it is.
  package enum Kind: String, CaseIterable, Sendable {
    case service, call, publish, subscribe, host, connect, read, write, memory
  }

  package let kind: Kind
  /// What exactly, for example `ledger.block`; never empty.
  package let value: String

  package var description: String { "\(kind.rawValue):\(value)" }

  package init(_ kind: Kind, _ value: String) {
    self.kind = kind
    self.value = value
  }

  /// Reads `kind:value`.
  package init(parsing text: String) throws(HostError) {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2, let kind = Kind(rawValue: parts[0]), Self.isValid(parts[1], of: kind) else {
      let known = Kind.allCases.map(\.rawValue).joined(separator: ", ")
      throw .invalid(
        "bad_permission", "`\(text)` is not a permission: write KIND:VALUE, where KIND is one of \(known).")
    }
    self.init(kind, parts[1])
  }

  private static func isValid(_ value: String, of kind: Kind) -> Bool {
    guard !value.isEmpty, value.utf8.count <= 256, value.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
      return false
    }
    switch kind {
    case .connect: return UInt16(value).map { $0 > 0 } ?? false
    case .memory: return UInt32(value).map { $0 > 0 } ?? false
    case .read, .write: return value.hasPrefix("/") && !value.split(separator: "/").contains("..")
    case .service, .call, .publish, .subscribe, .host: return true
    }
  }

  /// True when this grant covers `name`: the same word, or a pattern whose last `*` stands for any ending.
  package func covers(_ name: String) -> Bool {
    value.hasSuffix("*") ? name.hasPrefix(value.dropLast()) : name == value
  }

  package static func < (a: Permission, b: Permission) -> Bool { a.description < b.description }
}

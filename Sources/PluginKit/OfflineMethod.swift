import PluginAPI

/// A method that a command calls in its own process, without a node (`symbolon/extensions/offline.h`).
public struct OfflineMethod: Sendable {
  let method: String
  let members: [Member]

  /// Offers a method of the same plugin.
  /// - Parameters:
  ///   - method: its name; it is neither `.transition` nor `.public`.
  ///   - members: what its one `json` argument may hold; none when the signature says all.
  public init(_ method: String, members: [Member] = []) {
    self.method = method
    self.members = members
  }

  /// How words of the command line become a value.
  public enum Kind: String, Sendable {
    /// As it is, the content of `@FILE`, or standard input for `-`.
    case text
    /// A list; the option is given again for more.
    case texts
    case integer, number
    /// True when the option is there.
    case flag
    /// The name of a file, made absolute.
    case path
    case json
    /// The content of a JSON file that is named.
    case document
  }

  /// A member of the argument.
  public struct Member: Sendable {
    let name: String
    let type: Kind
    let summary: String
    let flags: UInt32

    /// `positional` members take words without a name, in the order in which they are listed.
    public init(_ name: String, _ type: Kind, _ summary: String, required: Bool = false, positional: Bool = false) {
      self.name = name
      self.type = type
      self.summary = summary
      flags = UInt32((required ? SYMBOLON_MEMBER_REQUIRED : 0) | (positional ? SYMBOLON_MEMBER_POSITIONAL : 0))
    }

    func describe() -> symbolon_offline_member {
      var native = symbolon_offline_member()
      native.struct_size = UInt32(MemoryLayout<symbolon_offline_member>.size)
      native.flags = flags
      native.name = permanent(name)
      native.type = permanent(type.rawValue)
      native.summary = permanent(summary)
      return native
    }
  }

  func describe() -> symbolon_offline_method {
    var native = symbolon_offline_method()
    native.struct_size = UInt32(MemoryLayout<symbolon_offline_method>.size)
    native.method = permanent(method)
    native.member_count = UInt32(members.count)
    native.members = permanentArray(members.map { $0.describe() })
    return native
  }
}

import Glibc
import PluginAPI

/// Reads structs that a plugin wrote, whatever release of the contract it was built for.
///
/// The plugin's `struct_size` says how much of the struct is there. Nothing behind it is read; fields that the plugin
/// did not know are zero, which means the old behaviour. A struct of a newer release than ours is taken when all that
/// we do not know in it is zero: then its writer asks for nothing that we could not do.
enum BorderStruct {
  /// No struct of the contract will ever be longer; a larger number is not a size.
  static let longest = 4096

  /// A copy of the struct at `pointer`, complete in our form.
  /// - Parameters:
  ///   - released: the size in release 1.0; a shorter struct was never a right one.
  ///   - subject: what it is, for messages, for example "The description of `hello`".
  static func read<T: BitwiseCopyable>(
    _ pointer: UnsafePointer<T>, released: Int, empty: T, _ subject: @autoclosure () -> String
  ) throws(HostError) -> T {
    let address = UnsafeRawPointer(pointer)
    guard UInt(bitPattern: address) % UInt(MemoryLayout<UInt64>.alignment) == 0 else {
      throw .invalid("misaligned_struct", "\(subject()) does not lie at a multiple of 8 bytes.")
    }
    let size = Int(address.load(as: UInt32.self))
    guard size >= released else {
      throw .invalid(
        "short_struct",
        "\(subject()) says struct_size \(size); ABI 1 begins with \(released): set it to sizeof the struct.")
    }
    guard size <= longest else {
      throw .invalid("wild_struct_size", "\(subject()) says struct_size \(size), which no release of the contract has.")
    }
    let known = MemoryLayout<T>.size
    if size > known, UnsafeRawBufferPointer(start: address + known, count: size - known).contains(where: { $0 != 0 }) {
      throw .invalid(
        "newer_struct",
        "\(subject()) uses fields of a newer release of the contract than this host knows: update the host.")
    }
    var copy = empty
    withUnsafeMutableBytes(of: &copy) { $0.baseAddress?.copyMemory(from: address, byteCount: min(size, known)) }
    return copy
  }

  /// The same in memory that is never freed, for tables that are used as long as their library.
  static func keep<T: BitwiseCopyable>(
    _ pointer: UnsafePointer<T>, released: Int, empty: T, _ subject: @autoclosure () -> String
  ) throws(HostError) -> UnsafePointer<T> {
    let copy = UnsafeMutablePointer<T>.allocate(capacity: 1)
    copy.initialize(to: try read(pointer, released: released, empty: empty, subject()))
    return UnsafePointer(copy)
  }

  /// Sizes in release 1.0 of what plugins write: they never change (`Sources/PluginAPI/released/1.0`).
  enum Released {
    static let plugin = 104
    static let method = 48
    static let `import` = 32
    static let route = 32
    static let routes = 16
    static let permissions = 16
    static let state = 56
    /// Since 1.2.
    static let offline = 16
    static let offlineMethod = 24
    static let offlineMember = 32
    static let invocation = 64
  }
}

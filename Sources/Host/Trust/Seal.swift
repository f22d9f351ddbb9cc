import FoundationEssentials

/// The footer that a sealed library ends with, so that its manifest can be read without running it.
///
///     ELF bytes ‖ manifest (canonical JSON) ‖ length of the manifest (u64, big-endian) ‖ "SYMBOLON-SEAL/1\n"
///
/// The loader maps what the ELF headers name and ignores the rest, so a sealed library is opened as it is.
package enum Seal {
  package static let magic = Array("SYMBOLON-SEAL/1\n".utf8)
  /// The beginning that all versions of the footer share.
  private static let family = Array("SYMBOLON-SEAL/".utf8)
  /// Bytes behind the manifest: its length and the magic.
  package static let tail = 8 + magic.count
  /// The longest manifest.
  package static let manifestLimit = 1 << 20
  /// The shortest ELF file: its header.
  package static let headerSize = 64

  /// Where the parts of a sealed file lie.
  package struct Parts: Equatable, Sendable {
    /// Bytes of the library itself.
    package var library: Int
    /// The manifest's text.
    package var manifest: Range<Int>
  }

  /// Finds the footer; nil when the file is not sealed.
  package static func find(in file: UnsafeRawBufferPointer) throws(HostError) -> Parts? {
    guard file.count >= headerSize + tail else { return nil }
    let end = file.count
    guard file[(end - magic.count)...].starts(with: family) else { return nil }
    guard file[(end - magic.count)...].elementsEqual(magic) else {
      throw .invalid("newer_seal", "The library is sealed in a form that this host does not know: update the host.")
    }
    var length: UInt64 = 0
    for byte in file[(end - tail)..<(end - magic.count)] { length = length << 8 | UInt64(byte) }
    guard length >= 2, length <= UInt64(manifestLimit), length <= UInt64(end - tail - headerSize) else {
      throw .invalid(
        "bad_seal", "The seal at the end of the library is damaged: it gives its manifest \(length) bytes.")
    }
    let start = end - tail - Int(length)
    return Parts(library: start, manifest: start..<(end - tail))
  }

  package static func find(in file: [UInt8]) throws(HostError) -> Parts? {
    let found = file.withUnsafeBytes { bytes in Result { () throws(HostError) in try find(in: bytes) } }
    return try found.get()
  }

  /// The footer for a manifest.
  package static func footer(_ manifest: Manifest) throws(HostError) -> [UInt8] {
    let text = Array(try manifest.canonicalText().utf8)
    guard text.count <= manifestLimit else {
      throw .invalid("manifest_too_large", "The manifest has \(text.count) bytes; at most 1 MiB fits a seal.")
    }
    return text + withUnsafeBytes(of: UInt64(text.count).bigEndian) { Array($0) } + magic
  }
}

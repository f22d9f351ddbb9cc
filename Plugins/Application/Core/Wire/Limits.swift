/// The bounds of a request; beyond them it is refused before any work is done.
package enum Limits {
  package static let bodyBytes = 10 << 20
  package static let messages = 2048
  package static let stops = 16
  package static let stopBytes = 256
  /// The most tokens that can be asked for; the model's context is the real bound.
  package static let tokens: UInt64 = 1 << 20
  package static let topK: UInt64 = 1 << 20
  package static let labelBytes = 512
}

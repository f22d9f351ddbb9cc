/// What a leaf commits to: the digests of one position, 2 * layers + 1 of them.
///
/// In the order of the leaf: x_0, then for each layer its row of keys and values and its output x_{l+1}.
package struct PositionDigests: Equatable, Sendable {
  /// What one of the digests is of.
  package enum Place: Equatable, Sendable, CustomStringConvertible {
    /// x_0, the embedding.
    case embedding
    /// The keys and values that layer `layer` put into the cache.
    case cache(layer: Int)
    /// x_{layer+1}, what layer `layer` handed on.
    case residual(layer: Int)

    package var description: String {
      switch self {
      case .embedding: "the embedding"
      case .cache(let layer): "the keys and values of layer \(layer)"
      case .residual(let layer): "the output of layer \(layer)"
      }
    }

    /// The layer that computed it; 0 for the embedding.
    package var layer: Int {
      switch self {
      case .embedding: 0
      case .cache(let layer), .residual(let layer): layer
      }
    }
  }

  package let position: Int
  package let token: Int32
  package let digests: [Digest]

  /// Precondition: an odd number of digests.
  package init(position: Int, token: Int32, digests: [Digest]) {
    precondition(digests.count % 2 == 1, "one digest, and two for each layer")
    self.position = position
    self.token = token
    self.digests = digests
  }

  /// The tag that separates leaves from every other hashed thing.
  static let tag = Array("symbolon.leaf/1".utf8)

  /// H("symbolon.leaf/1" | position u32 | token u32 | digests), integers big-endian.
  package var leaf: Digest {
    Self.leaf(position: position, token: token) { message in
      for digest in digests { message.append(contentsOf: digest.bytes) }
    }
  }

  /// The leaf of digests that lie one after another.
  package static func leaf(position: Int, token: Int32, _ digests: UnsafeRawBufferPointer) -> Digest {
    leaf(position: position, token: token) { $0.append(contentsOf: digests) }
  }

  private static func leaf(position: Int, token: Int32, _ append: (inout [UInt8]) -> Void) -> Digest {
    var message = tag
    withUnsafeBytes(of: UInt32(truncatingIfNeeded: position).bigEndian) { message.append(contentsOf: $0) }
    withUnsafeBytes(of: token.bigEndian) { message.append(contentsOf: $0) }
    append(&message)
    return Digest(of: message)
  }

  /// The place of a digest.
  package static func place(_ index: Int) -> Place {
    if index == 0 { return .embedding }
    return index % 2 == 1 ? .cache(layer: (index - 1) / 2) : .residual(layer: index / 2 - 1)
  }

  /// Where two runs of one position first differ: all before it is equal, so the fault lies between.
  package func firstDifference(from other: PositionDigests) -> Place? {
    guard digests.count == other.digests.count else {
      return Self.place(min(digests.count, other.digests.count))
    }
    return digests.indices.first { digests[$0] != other.digests[$0] }.map(Self.place)
  }
}

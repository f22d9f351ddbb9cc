import CSodium

/// Which arithmetic this engine computes: sections 2 and 14 of `docs/arithmetic.md`.
package enum Specification {
  /// The name of the arithmetic, and the beginning of every determinism class.
  package static let name = "sca1"

  /// SHA-256 of the normative text; `Scripts/seal-specification` writes it, `SpecificationTests` holds it to the page.
  package static let textHash = "df85c8cf63c1bf5a7367c70b74f0de119e2e2643069892ad8c1561a745917d75"
  /// SHA-256 of `Tests/Inference/Fixtures/vectors.json`; as `textHash`.
  package static let vectorsHash = "2d6d03fb21d072e770d739b5e69bc18fae232f021872258a5f16a64330861167"

  /// The constants of section 2, in its order.
  package static let singleConstants: [Float] =
    [
      ReferenceArithmetic.rounder, ReferenceArithmetic.quantiseFloor, ReferenceArithmetic.expLimit,
      ReferenceArithmetic.log2e, ReferenceArithmetic.ln2High, ReferenceArithmetic.ln2Low,
    ] + ReferenceArithmetic.expSeries + [ReferenceArithmetic.gelu1, ReferenceArithmetic.gelu2]
  package static let doubleConstants: [Double] =
    [
      ReferenceRotation.rounder, ReferenceRotation.squareRootOf2, ReferenceRotation.log2e, ReferenceRotation.ln2High,
      ReferenceRotation.ln2Low, ReferenceRotation.twoOverPi, ReferenceRotation.twoPi,
    ] + ReferenceRotation.halfPi + ReferenceRotation.sineSeries + ReferenceRotation.cosineSeries

  /// The `spec_hash`, 32 bytes: text, constants and vectors in one SHA-256.
  package static let hash: [UInt8] = {
    var message = Array("symbolon.spec/1".utf8)
    message += Digest(hex: textHash)?.bytes ?? []
    for value in singleConstants { withUnsafeBytes(of: value.bitPattern.bigEndian) { message += $0 } }
    for value in doubleConstants { withUnsafeBytes(of: value.bitPattern.bigEndian) { message += $0 } }
    message += Digest(hex: vectorsHash)?.bytes ?? []
    return sha256(message)
  }()

  /// The `spec_hash` as 64 hexadecimal digits.
  package static let hashHex: String = hex(hash)

  /// The determinism class of a model, given the SHA-256 of its file in hexadecimal digits.
  ///
  /// Nodes that show the same class give the same bytes to the same request.
  package static func fingerprint(modelSHA256: String) -> String {
    let model = Digest(hex: modelSHA256)?.bytes ?? Array(modelSHA256.utf8)
    return name + "-" + hex(sha256(Array("symbolon.class/1".utf8) + hash + model)).prefix(12)
  }

  package static func sha256(_ message: [UInt8]) -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: Int(crypto_hash_sha256_BYTES))
    crypto_hash_sha256(&digest, message, UInt64(message.count))
    return digest
  }

  private static func hex(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
}

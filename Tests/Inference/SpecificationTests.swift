import Foundation
import InferenceCore
import Testing

/// The text, the constants and the vectors are those that the engine's `spec_hash` says.
@Suite struct SpecificationTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  private static func page() throws -> String {
    try String(contentsOf: root.appendingPathComponent("docs/arithmetic.md"), encoding: .utf8)
  }

  private static func normative() throws -> String {
    let page = try page()
    let start = try #require(page.range(of: "<!-- normative text begins -->\n"))
    let end = try #require(page.range(of: "<!-- normative text ends -->\n"))
    return String(page[start.upperBound..<end.lowerBound])
  }

  private func hex(_ bytes: [UInt8]) -> String { bytes.map { String(format: "%02x", $0) }.joined() }

  @Test func theTextIsTheOneThatWasSealed() throws {
    let hash = hex(Specification.sha256(Array(try Self.normative().utf8)))
    #expect(
      hash == Specification.textHash,
      "docs/arithmetic.md has changed between its marks. If that was intended, run Scripts/seal-specification: it is a new determinism class."
    )
  }

  @Test func theVectorsAreThoseThatWereSealed() throws {
    let hash = hex(Specification.sha256(Array(try Fixture.data("vectors.json"))))
    #expect(
      hash == Specification.vectorsHash,
      "vectors.json has changed. If that was intended, run Scripts/seal-specification: it is a new determinism class.")
  }

  /// The numbers in the tables of section 2 are those the code computes with, in order.
  @Test func theConstantsOfTheTextAreThoseOfTheCode() throws {
    let text = try Self.normative()
    let start = try #require(text.range(of: "## 2. Constants"))
    let end = try #require(text.range(of: "## 3. "))
    let tables = text[start.upperBound..<end.lowerBound].components(separatedBy: "\nBinary64, in this order:\n")
    #expect(tables.count == 2)
    let numbers = tables.map { table in
      table.split(separator: "\n").filter { $0.hasPrefix("| ") && !$0.hasPrefix("| name") }.flatMap { row in
        row.split(separator: "|")[1].split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
      }
    }
    #expect(numbers[0].compactMap { Float($0)?.bitPattern } == Specification.singleConstants.map(\.bitPattern))
    #expect(numbers[1].compactMap { Double($0)?.bitPattern } == Specification.doubleConstants.map(\.bitPattern))
    #expect(numbers[0].count == 13)
    #expect(numbers[1].count == 22)
  }

  @Test func theHashBindsTextConstantsAndVectors() {
    var message = Array("symbolon.spec/1".utf8)
    message += Digest(hex: Specification.textHash)?.bytes ?? []
    for value in Specification.singleConstants { withUnsafeBytes(of: value.bitPattern.bigEndian) { message += $0 } }
    for value in Specification.doubleConstants { withUnsafeBytes(of: value.bitPattern.bigEndian) { message += $0 } }
    message += Digest(hex: Specification.vectorsHash)?.bytes ?? []
    #expect(message.count == 15 + 32 + 13 * 4 + 22 * 8 + 32)
    #expect(hex(Specification.sha256(message)) == Specification.hashHex)
  }

  @Test func aClassNamesTheArithmeticAndTheModel() {
    let one = Specification.fingerprint(modelSHA256: String(repeating: "ab", count: 32))
    #expect(one.hasPrefix("sca1-"))
    #expect(one.count == 17)
    #expect(one == Specification.fingerprint(modelSHA256: String(repeating: "AB", count: 32)))
    #expect(one != Specification.fingerprint(modelSHA256: String(repeating: "ac", count: 32)))
  }
}

import Foundation
import Host
import Testing

/// What docs/abi.md says of signatures and of the canonical form, held against vectors that another program wrote:
/// Scripts/reference/encode.py, which shares no line with the host.
@Suite struct VectorTests {
  static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  private struct Signatures: Decodable {
    struct Row: Decodable {
      var text: String
      var canonical: String
      var identity: String
    }
    var accepted: [Row]
    var refused: [String]
  }

  private struct Refusal: Decodable {
    var signature: String
    var canonical: String
    var because: String
  }

  private func vectors(_ name: String) throws -> Data {
    try Data(contentsOf: Self.root.appending(path: "Tests/Fixtures/vectors/\(name).json"))
  }

  @Test func signaturesHaveTheirCanonicalTextAndIdentity() throws {
    let vectors = try JSONDecoder().decode(Signatures.self, from: vectors("signatures"))
    #expect(vectors.accepted.count >= 10 && vectors.refused.count >= 25)
    for row in vectors.accepted {
      let signature = try Signature(parsing: row.text)
      #expect(signature.description == row.canonical)
      #expect(signature.identity == row.identity, "\(row.canonical)")
      #expect(try Signature(parsing: row.canonical) == signature)
    }
    for text in vectors.refused {
      #expect(throws: HostError.self, "\(text.debugDescription)") { try Signature(parsing: text) }
    }
  }

  @Test func argumentsHaveTheirBytes() throws {
    let rows = try #require(try JSONValue(parsing: vectors("arguments"))[key: "accepted"]?.array)
    #expect(rows.count >= 10)
    for row in rows {
      let signature = try Signature(parsing: try #require(row[key: "signature"]?.string))
      let bytes = try #require(row[key: "canonical"]?.string)
      let arguments = try Arguments(json: try #require(row[key: "arguments"]), for: signature)
      #expect(arguments.canonical(for: signature).hexadecimal == bytes, "\(signature)")
      let decoded = try Arguments(canonical: try #require([UInt8](hexadecimal: bytes)), for: signature)
      #expect(decoded.canonical(for: signature).hexadecimal == bytes, "\(signature)")
    }
  }

  @Test func wrongBytesAreRefused() throws {
    struct Vectors: Decodable { var refused: [Refusal] }
    let vectors = try JSONDecoder().decode(Vectors.self, from: vectors("arguments"))
    #expect(vectors.refused.count >= 10)
    for row in vectors.refused {
      let signature = try Signature(parsing: row.signature)
      let bytes = try #require([UInt8](hexadecimal: row.canonical))
      #expect(throws: HostError.self, "\(row.because)") { try Arguments(canonical: bytes, for: signature) }
    }
  }

  /// The document shows vectors, and they are among those in the files.
  @Test func theDocumentShowsVectorsOfTheFiles() throws {
    let text = try String(contentsOf: Self.root.appending(path: "docs/abi.md"), encoding: .utf8)
    let rows = text.matches(of: /(?m)^\| `([^`]+)` \| `([^`]+)` \| `([0-9a-f ]*)` \|$/)
    #expect(rows.count >= 8)
    for row in rows {
      let signature = try Signature(parsing: String(row.1))
      let json = try JSONValue(parsing: Array(row.2.utf8))
      let bytes = String(row.3).replacingOccurrences(of: " ", with: "")
      #expect(try Arguments(json: json, for: signature).canonical(for: signature).hexadecimal == bytes, "\(row.1)")
    }
    let identities = text.matches(of: /(?m)^\| `([^`]+)` \| `([0-9a-f]{64})` \|$/)
    #expect(identities.count >= 2)
    for row in identities { #expect(try Signature(parsing: String(row.1)).identity == String(row.2)) }
  }

  @Test func theVectorsAreWhatTheReferenceWrites() throws {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["python3", Self.root.appending(path: "Scripts/reference/encode.py").path, "--check"]
    process.standardInput = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
  }

  /// Preparing a libffi interface costs half a call: it happens where a method or an import is made, and nowhere else.
  @Test func interfacesArePreparedOncePerMethod() throws {
    let folder = Self.root.appending(path: "Sources/Host")
    let files = try #require(FileManager.default.enumerator(atPath: folder.path)).compactMap { $0 as? String }
    var uses: [String] = []
    for file in files.sorted() where file.hasSuffix(".swift") {
      let text = try String(contentsOf: folder.appending(path: file), encoding: .utf8)
      var function = ""
      for line in text.split(separator: "\n") {
        if line.contains("func ") || line.contains(" init(") { function = line.contains(" init(") ? "init" : "func" }
        if line.contains("prepareInterface("), !line.contains("func prepareInterface") {
          uses.append("\(file) \(function)")
        }
        if line.contains("symbolon_ffi_prepare") || line.contains("ffi_prep_cif") { uses.append("prepares") }
      }
    }
    #expect(uses.filter { $0 == "prepares" }.count == 1, "\(uses)")
    #expect(uses.allSatisfy { $0 == "prepares" || $0.hasSuffix(" init") }, "\(uses)")
    #expect(
      uses.contains("Calls/NativeCall.swift init") && uses.contains("Calls/ImportBinding.swift init"), "\(uses)")
  }
}

import Canonical

/// What a dataset consists of, where it comes from and under which licence.
///
/// The id is the hash of the canonical form, with files in the order of their paths: spelling, spacing and order of the
/// JSON do not matter, every value does.
package struct Manifest: Equatable, Sendable {
  /// One file of the dataset.
  package struct File: Equatable, Sendable {
    /// Relative, with `/`, inside the dataset's folder.
    package let path: String
    /// In bytes.
    package let size: UInt64
    package let sha256: Digest
  }

  /// Who made it, and which share of rewards is theirs.
  package struct Contributor: Equatable, Sendable {
    package let name: String
    /// In ten-thousandths; all shares together are 10,000.
    package let basisPoints: UInt32
  }

  package let name: String
  package let version: String
  package let description: String
  /// An SPDX licence id or expression, for example `CC-BY-4.0`.
  package let licence: String
  /// Where it was obtained: an https or http address.
  package let source: String
  /// By path.
  package let files: [File]
  package let contributors: [Contributor]

  /// A manifest's JSON and its canonical form have at most this many bytes.
  package static let limit = 48 * 1024

  /// SHA-256 of the domain tag and the canonical form.
  package var id: DatasetID {
    var writer = CanonicalWriter()
    writer.raw("symbolon/manifest/v1\0".utf8)
    write(to: &writer)
    return DatasetID(Digest(of: writer.bytes))
  }

  /// All files together, in bytes.
  package var size: UInt64 { files.reduce(0) { $0 + $1.size } }

  init(
    name: String, version: String, description: String, licence: String, source: String, files: [File],
    contributors: [Contributor]
  ) {
    self.name = name
    self.version = version
    self.description = description
    self.licence = licence
    self.source = source
    self.files = files.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
    self.contributors = contributors
  }
}

extension Manifest: Record {
  static var title: String { "A manifest" }

  init(from reader: inout CanonicalReader) throws {
    name = try reader.text()
    version = try reader.text()
    description = try reader.text()
    licence = try reader.text()
    source = try reader.text()
    files = try reader.list { reader in
      let path = try reader.text()
      let size = try reader.u64()
      guard let sha256 = Digest(bytes: try reader.raw(32)) else { throw DataError.corrupt(Self.title) }
      return File(path: path, size: size, sha256: sha256)
    }
    contributors = try reader.list { Contributor(name: try $0.text(), basisPoints: try $0.u32()) }
  }

  func write(to writer: inout CanonicalWriter) {
    writer.text(name)
    writer.text(version)
    writer.text(description)
    writer.text(licence)
    writer.text(source)
    writer.list(files) { writer, file in
      writer.text(file.path)
      writer.u64(file.size)
      writer.raw(file.sha256.bytes)
    }
    writer.list(contributors) { writer, contributor in
      writer.text(contributor.name)
      writer.u32(contributor.basisPoints)
    }
  }

  /// As people read it, with the same names as in the JSON that was nominated.
  package var json: StrictJSON {
    .object([
      "name": .string(name), "version": .string(version), "description": .string(description),
      "licence": .string(licence), "source": .string(source),
      "files": .array(
        files.map {
          .object([
            "path": .string($0.path), "size": .integer(Int128($0.size)), "sha256": .string($0.sha256.description),
          ])
        }),
      "contributors": .array(
        contributors.map { .object(["name": .string($0.name), "share": .integer(Int128($0.basisPoints))]) }),
    ])
  }
}

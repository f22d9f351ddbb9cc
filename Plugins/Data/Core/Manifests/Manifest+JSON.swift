import Canonical

extension Manifest {
  /// Reads and checks a manifest; what is wrong is named with its place.
  package init(json text: String) throws(DataError) {
    let parsed: StrictJSON
    do {
      parsed = try StrictJSON(text, limit: Self.limit)
    } catch {
      throw Self.fault("it is not the JSON that is expected. \(error)")
    }
    let fields = try Fields(
      parsed, place: "the manifest",
      names: ["name", "version", "description", "licence", "source", "files", "contributors"])
    self.init(
      name: try fields.line("name", limit: 100), version: try fields.line("version", limit: 40),
      description: try fields.text("description", limit: 4096), licence: try Self.licence(fields),
      source: try Self.source(fields), files: try Self.files(fields), contributors: try Self.contributors(fields))
  }

  static func fault(_ what: String) -> DataError {
    DataError(.invalidArgument, "invalid_manifest", "The manifest is not accepted: \(what)")
  }

  /// Ids of SPDX 2.3's short form, with `AND`, `OR`, `WITH` and parentheses between them.
  private static func licence(_ fields: Fields) throws(DataError) -> String {
    let text = try fields.line("licence", limit: 120)
    let words = text.split(separator: " ", omittingEmptySubsequences: false)
    var wantsID = true
    for (index, word) in words.enumerated() {
      if ["AND", "OR", "WITH"].contains(word), !wantsID, index < words.count - 1 {
        wantsID = true
        continue
      }
      let id = word.drop { $0 == "(" }.reversed().drop { $0 == ")" }.reversed()
      let isID = !id.isEmpty && id.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || ".-+".contains($0)) }
      guard isID, wantsID, id.contains(where: \.isLetter), !refused.contains(String(id).uppercased()) else {
        throw fault(
          "`licence` is an SPDX id such as CC-BY-4.0, Apache-2.0 or CC0-1.0 (see https://spdx.org/licenses), and "
            + "`\(text)` is not. A dataset whose licence nobody knows cannot be nominated.")
      }
      wantsID = false
    }
    return text
  }

  /// Words that people write where a licence is missing.
  private static let refused: Set<String> = ["NONE", "NOASSERTION", "UNKNOWN", "OTHER", "TBD", "N-A", "NA", "FREE"]

  private static func source(_ fields: Fields) throws(DataError) -> String {
    let text = try fields.line("source", limit: 500)
    let rest = text.hasPrefix("https://") ? text.dropFirst(8) : text.hasPrefix("http://") ? text.dropFirst(7) : ""
    guard !rest.isEmpty, !rest.hasPrefix("/"), rest.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
      throw fault("`source` is an address that begins with https:// or http://, not `\(text)`.")
    }
    return text
  }

  private static func files(_ fields: Fields) throws(DataError) -> [File] {
    guard let elements = fields.members["files"]?.array, !elements.isEmpty else {
      throw fault("`files` is a list of at least one {\"path\":…,\"size\":…,\"sha256\":…}.")
    }
    var paths: Set<String> = []
    var total: UInt64 = 0
    var files: [File] = []
    for (index, element) in elements.enumerated() {
      let file = try Fields(element, place: "files[\(index)]", names: ["path", "size", "sha256"])
      let path = try path(file)
      // Compared by bytes elsewhere; two spellings of one name would be one file on some systems, so they are refused.
      guard paths.insert(path).inserted else { throw fault("the path `\(path)` appears twice.") }
      guard let size = file.members["size"]?.unsigned, size <= 1 << 50 else {
        throw fault("`size` of \(path) is a number of bytes, at most 2^50.")
      }
      total += size
      guard total <= 1 << 50 else { throw fault("the files have more than 2^50 bytes together.") }
      guard let text = file.members["sha256"]?.string, text.utf8.count == 64,
        let sha256 = octets(hexadecimal: text).flatMap(Digest.init(bytes:))
      else { throw fault("`sha256` of \(path) is 64 hexadecimal digits: `sha256sum` prints them.") }
      files.append(File(path: path, size: size, sha256: sha256))
    }
    return files
  }

  private static func path(_ file: Fields) throws(DataError) -> String {
    let path = try file.line("path", limit: 512)
    let steps = path.split(separator: "/", omittingEmptySubsequences: false)
    guard steps.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." }), !path.contains("\\") else {
      throw fault(
        "the path `\(path)` is not a plain relative one: no leading or double `/`, no `.` or `..`, no backslash.")
    }
    return path
  }

  private static func contributors(_ fields: Fields) throws(DataError) -> [Contributor] {
    guard let value = fields.members["contributors"] else { return [] }
    guard let elements = value.array, elements.count <= 64 else {
      throw fault("`contributors` is a list of at most 64 {\"name\":…,\"share\":…}.")
    }
    var contributors: [Contributor] = []
    for (index, element) in elements.enumerated() {
      let one = try Fields(element, place: "contributors[\(index)]", names: ["name", "share"])
      guard let share = one.members["share"]?.unsigned, share <= 10_000 else {
        throw fault("`share` in contributors[\(index)] is 0 to 10000 ten-thousandths.")
      }
      contributors.append(Contributor(name: try one.line("name", limit: 100), basisPoints: UInt32(share)))
    }
    guard contributors.isEmpty || contributors.reduce(0, { $0 + $1.basisPoints }) == 10_000 else {
      throw fault("the shares of all contributors are 10000 ten-thousandths together.")
    }
    return contributors
  }
}

/// The members of a JSON object of known names.
struct Fields {
  let members: [String: StrictJSON]
  private let place: String

  init(_ value: StrictJSON, place: String, names: Set<String>) throws(DataError) {
    guard let members = value.object else { throw Manifest.fault("\(place) is not a JSON object.") }
    if let stranger = members.keys.filter({ !names.contains($0) }).sorted().first {
      throw Manifest.fault(
        "\(place) has an unknown key `\(stranger)`; known are \(names.sorted().joined(separator: ", ")).")
    }
    self.members = members
    self.place = place
  }

  /// A text that is not empty.
  func text(_ name: String, limit: Int) throws(DataError) -> String {
    guard let text = members[name]?.string, (1...limit).contains(text.utf8.count) else {
      throw Manifest.fault("`\(name)` of \(place) is a text of 1 to \(limit) bytes.")
    }
    return text
  }

  /// A text without control characters.
  func line(_ name: String, limit: Int) throws(DataError) -> String {
    let text = try text(name, limit: limit)
    guard text.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F }) else {
      throw Manifest.fault("`\(name)` of \(place) holds a control character.")
    }
    return text
  }
}

import FoundationEssentials
import TOMLKit

/// Typed access to a TOML file, with errors that carry line and column.
struct ConfigurationReader {
  private let text: String
  private let path: String
  private let root: JSONValue

  init(_ text: String, path: String) throws(HostError) {
    self.text = text
    self.path = path
    do {
      let table = try TOMLTable(string: text)
      root = try JSONValue(parsing: table.convert(to: .json).utf8)
    } catch let error as TOMLParseError {
      let place = error.source.begin
      throw .invalid(
        "configuration_syntax", "\(path):\(place.line):\(place.column): \(error.description). Nothing was changed.")
    } catch {
      throw .invalid("configuration_syntax", "\(path): \(error)")
    }
  }

  /// An error at a key, with its line and column.
  func failure(_ key: [String], _ sentence: String) -> HostError {
    let place = KeyLocator(text).locate(key)
    return .invalid("configuration", "\(path):\(place.line):\(place.column): \(sentence)")
  }

  func value(_ key: [String]) -> JSONValue? {
    var value: JSONValue? = root
    for part in key { value = value?[key: part] }
    return value
  }

  func string(_ key: [String]) throws(HostError) -> String? {
    guard let value = value(key) else { return nil }
    guard let text = value.string else { throw mismatch(key, "a text in quotes", value) }
    return text
  }

  func bool(_ key: [String]) throws(HostError) -> Bool? {
    guard let value = value(key) else { return nil }
    guard case .bool(let flag) = value else { throw mismatch(key, "true or false", value) }
    return flag
  }

  func integer(_ key: [String], _ range: ClosedRange<UInt64>) throws(HostError) -> UInt64? {
    guard let value = value(key) else { return nil }
    guard let number = value.unsigned, range.contains(number) else {
      throw mismatch(key, "an integer from \(range.lowerBound) to \(range.upperBound)", value)
    }
    return number
  }

  func strings(_ key: [String]) throws(HostError) -> [String]? {
    guard let value = value(key) else { return nil }
    guard let items = value.array, case let texts = items.compactMap(\.string), texts.count == items.count else {
      throw mismatch(key, "a list of texts", value)
    }
    return texts
  }

  /// An array of tables whose values are all texts.
  func rows(_ key: [String], keys: [String]) throws(HostError) -> [[String: String]] {
    guard let value = value(key) else { return [] }
    var rows: [[String: String]] = []
    for item in value.array ?? [value] {
      guard let members = item.object, case let texts = members.compactMapValues(\.string),
        texts.count == members.count, members.keys.allSatisfy(keys.contains)
      else {
        throw failure(key, "a table with texts under \(keys.joined(separator: ", ")), and nothing else, is needed.")
      }
      rows.append(texts)
    }
    return rows
  }

  func choice(_ key: [String], _ allowed: [String]) throws(HostError) -> String? {
    guard let word = try string(key) else { return nil }
    guard allowed.contains(word) else {
      throw failure(key, "`\(word)` is not one of \(allowed.joined(separator: ", ")).")
    }
    return word
  }

  func table(_ key: [String]) throws(HostError) -> JSONValue? {
    guard let value = value(key) else { return nil }
    guard case .object = value else { throw mismatch(key, "a table", value) }
    return value
  }

  func keys(_ key: [String]) throws(HostError) -> [String] {
    (try table(key)?.object ?? [:]).keys.sorted()
  }

  /// Refuses every key that is not listed, and offers the nearest one.
  func onlyKeys(_ allowed: [String], at key: [String]) throws(HostError) {
    for name in try keys(key) where !allowed.contains(name) {
      let hint = Spelling.nearest(to: name, in: allowed).map { " Did you mean `\($0)`?" } ?? ""
      throw failure(
        key + [name], "unknown key `\(name)`; known are \(allowed.joined(separator: ", ")).\(hint)")
    }
  }

  /// Replaces a leading ~ by the home folder.
  static func expand(_ path: String) -> String {
    guard path == "~" || path.hasPrefix("~/") else { return path }
    let home = ProcessInfo.processInfo.environment["HOME"] ?? "/root"
    return home + path.dropFirst()
  }

  private func mismatch(_ key: [String], _ expected: String, _ value: JSONValue) -> HostError {
    failure(key, "`\(key.last ?? "")` must be \(expected), not \(value.kind).")
  }
}

/// Finds the line of a key in a TOML text; the parser keeps no positions of keys.
struct KeyLocator {
  private let lines: [Substring]

  init(_ text: String) { lines = text.split(separator: "\n", omittingEmptySubsequences: false) }

  /// Line and column (from 1) of the key, or of the nearest table above it.
  func locate(_ key: [String]) -> (line: Int, column: Int) {
    var table: [String] = []
    var best = (depth: -1, line: 1, column: 1)
    for (index, line) in lines.enumerated() {
      let trimmed = line.drop { $0 == " " || $0 == "\t" }
      let column = line.count - trimmed.count + 1
      let found: [String]
      if trimmed.hasPrefix("[") {
        table = parts(trimmed.drop { $0 == "[" }.prefix { $0 != "]" })
        found = table
      } else if let equals = trimmed.firstIndex(of: "="), !trimmed.hasPrefix("#") {
        found = table + parts(trimmed[..<equals])
      } else {
        continue
      }
      let common = zip(found, key).prefix { $0 == $1 }.count
      if common > best.depth, common > 0, common == min(found.count, key.count) {
        best = (common, index + 1, column)
      }
    }
    return (best.line, best.column)
  }

  private func parts(_ text: Substring) -> [String] {
    text.split(separator: ".").map { $0.filter { !" \t\"'".contains($0) } }
  }
}

/// "Did you mean": the nearest known word.
package enum Spelling {
  /// The word with the least edit distance, when it is near enough to be a slip.
  package static func nearest(to word: String, in known: some Sequence<String>) -> String? {
    known.map { ($0, distance(word, $0)) }.filter { $0.1 <= max(1, word.count / 3) }.min { $0.1 < $1.1 }?.0
  }

  /// How many letters are too many, missing, wrong, or swapped with the next one.
  package static func distance(_ a: String, _ b: String) -> Int {
    let (a, b) = (Array(a), Array(b))
    var (older, old, row) = ([Int](), [Int](), Array(0...b.count))
    for i in a.indices {
      (older, old) = (old, row)
      row[0] = i + 1
      for j in b.indices {
        row[j + 1] = min(row[j] + 1, old[j + 1] + 1, old[j] + (a[i] == b[j] ? 0 : 1))
        if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { row[j + 1] = min(row[j + 1], older[j - 1] + 1) }
      }
    }
    return row[b.count]
  }
}

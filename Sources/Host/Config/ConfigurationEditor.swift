import Glibc

/// Changes one key of a plugin's table in the text of plugins.conf; comments and formatting stay as they are.
///
/// It works on lines. Whatever it produces is parsed again by the caller and compared with what was meant, so a file
/// that is written in a way it does not understand is refused, never damaged.
package struct ConfigurationEditor {
  package private(set) var text: String

  package init(_ text: String) { self.text = text }

  /// Sets `key = literal` in `[plugin.<id>]`; nil takes the key out.
  package mutating func set(_ key: String, _ literal: String?, plugin id: String) throws(HostError) {
    // By bytes: to Swift, a carriage return and a line feed are one character.
    var lines = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map {
      String(decoding: $0, as: UTF8.self)
    }
    let scan = Self.scan(lines)
    guard let header = scan.headers.firstIndex(where: { $0.name == ["plugin", id] }) else {
      throw .refused(
        "not_editable",
        "plugins.conf has no [plugin.\(id)] line of its own to edit: write `\(key) = \(literal ?? "…")` there yourself."
      )
    }
    let start = scan.headers[header].line
    let end = header + 1 < scan.headers.count ? scan.headers[header + 1].line : lines.count
    let keys = scan.keys.filter { $0.line > start && $0.line < end }
    if let found = keys.first(where: { $0.name == [key] }) {
      guard found.isOneLine else {
        throw .refused("not_editable", "`\(key)` of `\(id)` spans several lines: edit plugins.conf yourself.")
      }
      if let literal {
        lines[found.line] = Self.replacingValue(in: lines[found.line], by: literal)
      } else {
        lines.remove(at: found.line)
      }
    } else if let literal {
      let line = keys.last.map { $0.lastLine } ?? start
      let sample = keys.last.map { lines[$0.line] } ?? ""
      lines.insert(Self.newLine(key, literal, like: sample), at: line + 1)
    }
    text = lines.joined(separator: "\n")
  }

  /// The new line has the indentation of its neighbour, its equals sign in the same column, and its line ending.
  private static func newLine(_ key: String, _ literal: String, like sample: String) -> String {
    let indentation = sample.prefix { $0 == " " || $0 == "\t" }
    let column = sample.firstIndex(of: "=").map { sample.distance(from: sample.startIndex, to: $0) } ?? 0
    let space = String(repeating: " ", count: max(1, column - indentation.count - key.count))
    return "\(indentation)\(key)\(space)= \(literal)" + (sample.unicodeScalars.last == "\r" ? "\r" : "")
  }

  /// Keeps what stands before the value, and a comment behind it.
  private static func replacingValue(in line: String, by literal: String) -> String {
    guard let equals = line.firstIndex(of: "=") else { return line }
    let afterEquals = line[line.index(after: equals)...]
    let lead = afterEquals.prefix { $0 == " " || $0 == "\t" }
    var state = Lexer()
    var end = lead.endIndex
    var lastOfValue = end
    while end < line.endIndex {
      if state.isOutside, line[end] == "#" { break }
      state.take(line[end], rest: line[end...])
      if line[end] != " ", line[end] != "\t", line[end] != "\r", line[end] != "\r\n" {
        lastOfValue = line.index(after: end)
      }
      end = line.index(after: end)
    }
    return line[...equals] + lead + literal + line[lastOfValue...]
  }

  // MARK: Lines

  private struct Header {
    var name: [String]
    var line: Int
  }

  private struct Key {
    var name: [String]
    var line: Int
    var lastLine: Int
    var isOneLine: Bool { line == lastLine }
  }

  /// Table headers and keys with their lines; what lies inside long texts and lists is passed over.
  private static func scan(_ lines: [String]) -> (headers: [Header], keys: [Key]) {
    var headers: [Header] = []
    var keys: [Key] = []
    var state = Lexer()
    for (index, line) in lines.enumerated() {
      if state.isBetweenValues {
        let trimmed = line.drop { $0 == " " || $0 == "\t" }
        if trimmed.hasPrefix("[") {
          headers.append(Header(name: name(trimmed.drop { $0 == "[" }, until: "]"), line: index))
          continue
        }
        guard !trimmed.isEmpty, !trimmed.hasPrefix("#"), let equals = trimmed.firstIndex(of: "=") else { continue }
        keys.append(Key(name: name(trimmed, until: "="), line: index, lastLine: index))
        state.takeLine(trimmed[trimmed.index(after: equals)...])
      } else {
        state.takeLine(line[...])
        if !keys.isEmpty { keys[keys.count - 1].lastLine = index }
      }
    }
    return (headers, keys)
  }

  /// A dotted name, with or without quotes.
  private static func name(_ text: Substring, until end: Character) -> [String] {
    var parts = [""]
    var quote: Character?
    for character in text {
      if let open = quote {
        if character == open { quote = nil } else { parts[parts.count - 1].append(character) }
      } else if character == "\"" || character == "'" {
        quote = character
      } else if character == end {
        break
      } else if character == "." {
        parts.append("")
      } else if character != " ", character != "\t" {
        parts[parts.count - 1].append(character)
      }
    }
    return parts
  }

  /// Knows whether a place in a value lies inside a text or a list.
  private struct Lexer {
    private var quote = ""
    private var depth = 0
    private var skip = 0

    var isOutside: Bool { quote.isEmpty }
    var isBetweenValues: Bool { quote.isEmpty && depth == 0 }

    mutating func takeLine(_ line: Substring) {
      var position = line.startIndex
      while position < line.endIndex {
        if isOutside, line[position] == "#" { break }
        take(line[position], rest: line[position...])
        position = line.index(after: position)
      }
      // A text in single quotes or double quotes ends with its line, whatever is wrong with it.
      if quote.count == 1 { quote = "" }
      skip = 0
    }

    mutating func take(_ character: Character, rest: Substring) {
      if skip > 0 {
        skip -= 1
      } else if !quote.isEmpty {
        if character == "\\", quote.first == "\"" {
          skip = 1
        } else if rest.hasPrefix(quote) {
          skip = quote.count - 1
          quote = ""
        }
      } else if character == "\"" || character == "'" {
        let long = String(repeating: character, count: 3)
        quote = rest.hasPrefix(long) ? long : String(character)
        skip = quote.count - 1
      } else if character == "[" || character == "{" {
        depth += 1
      } else if character == "]" || character == "}" {
        depth = max(0, depth - 1)
      }
    }
  }
}

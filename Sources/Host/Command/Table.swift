/// Rows under a header that never leave the width of a terminal.
package struct Table {
  package struct Column {
    let name: String
    let isNumber: Bool
    /// May be cut down to this many characters; nil: never.
    let least: Int?
  }

  private var columns: [Column] = []
  private var rows: [[String]] = []

  package init() {}

  /// A table whose columns are all text; the last one is cut first.
  package init(_ header: [String], _ rows: [[String]]) {
    for name in header { add(name, least: max(4, name.count)) }
    for row in rows { append(row) }
  }

  /// Adds a column; text that may be cut down to `least` characters ends in `…` then.
  package mutating func add(_ name: String, least: Int? = nil) {
    columns.append(Column(name: name, isNumber: false, least: least))
  }

  /// Adds a column whose cells stand at its right edge.
  package mutating func addNumber(_ name: String) { columns.append(Column(name: name, isNumber: true, least: nil)) }

  package mutating func append(_ row: [String]) {
    rows.append(zip(columns, row).map { Self.printable($1) })
  }

  package var isEmpty: Bool { rows.isEmpty }

  /// The lines, each at most `width` characters.
  package func text(width: Int = 80) -> String {
    let header = columns.map(\.name)
    let natural = columns.indices.map { column in ([header] + rows).map { $0[column].count }.max() ?? 0 }
    let widths = shrink(natural, to: width)
    return ([header] + rows).map { row in
      let line = row.enumerated().map { index, cell in
        let cut = cell.count > widths[index] ? cell.prefix(max(0, widths[index] - 1)) + "…" : cell[...]
        let space = String(repeating: " ", count: max(0, widths[index] - cut.count))
        return columns[index].isNumber ? space + cut : cut + space
      }.joined(separator: "  ")
      return String(line.prefix(width).trimmingSuffix(of: " "))
    }.joined(separator: "\n")
  }

  /// Takes what is too much from the last column that can give, then from those before it.
  private func shrink(_ natural: [Int], to width: Int) -> [Int] {
    var widths = natural
    for index in columns.indices.reversed() {
      let excess = widths.reduce(0, +) + 2 * max(0, columns.count - 1) - width
      guard excess > 0 else { break }
      guard let least = columns[index].least, widths[index] > least else { continue }
      widths[index] = max(least, widths[index] - excess)
    }
    return widths
  }

  /// A plugin's text must not steer the operator's terminal.
  private static func printable(_ text: String) -> String {
    String(
      String.UnicodeScalarView(
        text.unicodeScalars.map { $0.value < 0x20 || (0x7f..<0xa0).contains($0.value) ? " " : $0 }))
  }
}

extension Substring {
  fileprivate func trimmingSuffix(of character: Character) -> Substring {
    var end = endIndex
    while end > startIndex, self[index(before: end)] == character { end = index(before: end) }
    return self[..<end]
  }
}

/// Numbers as a person reads them at a glance, in few characters.
package enum Readable {
  /// A duration, for example `870ns`, `12µs`, `3.4ms`, `2.1s`.
  package static func duration(_ nanoseconds: UInt64) -> String {
    let steps: [(UInt64, String)] = [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs")]
    for (unit, name) in steps where nanoseconds >= unit {
      return short(Double(nanoseconds) / Double(unit)) + name
    }
    return "\(nanoseconds)ns"
  }

  /// A count, for example `950`, `12k`, `3.4M`.
  package static func count(_ number: UInt64) -> String {
    let steps: [(UInt64, String)] = [(1_000_000_000, "G"), (1_000_000, "M"), (10_000, "k")]
    for (unit, name) in steps where number >= unit {
      return short(Double(number) / Double(unit == 10_000 ? 1000 : unit)) + name
    }
    return String(number)
  }

  /// A rate a second.
  package static func rate(_ perSecond: Double) -> String {
    perSecond >= 10_000 ? count(UInt64(min(perSecond, 1e18))) : short(perSecond)
  }

  /// Bytes in binary units, for example `3.4 MiB`.
  package static func bytes(_ number: UInt64) -> String {
    let steps: [(UInt64, String)] = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")]
    for (unit, name) in steps where number >= unit { return "\(short(Double(number) / Double(unit))) \(name)" }
    return "\(number) B"
  }

  /// One decimal below 10, none above.
  private static func short(_ value: Double) -> String {
    guard value < 9.95 else { return String(Int(value.rounded())) }
    let tenths = Int((value * 10).rounded())
    return tenths.isMultiple(of: 10) ? String(tenths / 10) : "\(tenths / 10).\(tenths % 10)"
  }
}

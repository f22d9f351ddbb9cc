/// A value in a chat template.
package enum TemplateValue: Sendable {
  case none
  case undefined
  case bool(Bool)
  case integer(Int)
  case real(Double)
  case text(MarkedText)
  case list([TemplateValue])
  case map(TemplateMap)
  /// The number of a namespace of the rendering.
  case namespace(Int)
  /// The number of a macro of the rendering.
  case macro(Int)

  /// Python's truth.
  var isTrue: Bool {
    switch self {
    case .none, .undefined: false
    case .bool(let value): value
    case .integer(let value): value != 0
    case .real(let value): value != 0
    case .text(let text): !text.isEmpty
    case .list(let list): !list.isEmpty
    case .map(let map): !map.entries.isEmpty
    case .namespace, .macro: true
    }
  }

  static func text(_ text: String) -> TemplateValue { .text(MarkedText(text, authored: true)) }

  /// A JSON document that a caller sent: none of its texts form control tokens.
  package init(_ json: JSONValue) {
    switch json {
    case .null: self = .none
    case .bool(let value): self = .bool(value)
    case .number(let text):
      if let whole = Int(text) { self = .integer(whole) } else { self = .real(Double(text) ?? 0) }
    case .string(let text): self = .text(MarkedText(text, authored: false))
    case .array(let elements): self = .list(elements.map { TemplateValue($0) })
    case .object(let members):
      var map = TemplateMap()
      for member in members {
        map.set(MarkedText(member.name, authored: false), to: TemplateValue(member.value))
      }
      self = .map(map)
    }
  }

  /// Python's equality.
  static func equal(_ a: TemplateValue, _ b: TemplateValue) -> Bool {
    switch (a, b) {
    case (.text(let x), .text(let y)): return x.bytes == y.bytes
    case (.list(let x), .list(let y)): return x.count == y.count && zip(x, y).allSatisfy(equal)
    case (.map(let x), .map(let y)):
      return x.entries.count == y.entries.count
        && x.entries.allSatisfy { entry in y[entry.key.string].map { equal(entry.value, $0) } ?? false }
    case (.none, .none), (.undefined, .undefined): return true
    case (.namespace(let x), .namespace(let y)), (.macro(let x), .macro(let y)): return x == y
    default:
      guard let x = a.number, let y = b.number else { return false }
      return x == y
    }
  }

  /// As a number, for Python counts truth as 0 and 1.
  var number: Double? {
    switch self {
    case .bool(let value): value ? 1 : 0
    case .integer(let value): Double(value)
    case .real(let value): value
    default: nil
    }
  }

  var whole: Int? {
    switch self {
    case .bool(let value): value ? 1 : 0
    case .integer(let value): value
    default: nil
    }
  }

  var string: String? { if case .text(let text) = self { text.string } else { nil } }
}

/// Names and values in the order in which they came.
package struct TemplateMap: Sendable {
  package private(set) var entries: [(key: MarkedText, value: TemplateValue)] = []

  package init() {}

  init(_ pairs: KeyValuePairs<String, TemplateValue>) {
    for (name, value) in pairs { set(MarkedText(name, authored: true), to: value) }
  }

  package subscript(name: String) -> TemplateValue? { entries.first { $0.key.string == name }?.value }

  package mutating func set(_ key: MarkedText, to value: TemplateValue) {
    if let index = entries.firstIndex(where: { $0.key.bytes == key.bytes }) {
      entries[index].value = value
    } else {
      entries.append((key, value))
    }
  }
}

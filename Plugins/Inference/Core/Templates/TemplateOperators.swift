/// Operators and methods of values, as Python has them.
enum TemplateOperators {
  private static func fault(_ reason: String) -> TemplateError { TemplateError(reason: reason) }

  static func compare(
    _ op: TemplateExpression.Comparison, _ a: TemplateValue, _ b: TemplateValue
  ) throws(TemplateError) -> Bool {
    switch op {
    case .equal: return TemplateValue.equal(a, b)
    case .notEqual: return !TemplateValue.equal(a, b)
    case .isIn: return try contains(b, a)
    case .isNotIn: return try !contains(b, a)
    case .less: return try precedes(a, b)
    case .greater: return try precedes(b, a)
    case .lessOrEqual: return try !precedes(b, a)
    case .greaterOrEqual: return try !precedes(a, b)
    }
  }

  private static func precedes(_ a: TemplateValue, _ b: TemplateValue) throws(TemplateError) -> Bool {
    if let x = a.number, let y = b.number { return x < y }
    if case .text(let x) = a, case .text(let y) = b { return x.bytes.lexicographicallyPrecedes(y.bytes) }
    throw fault("it compares what has no order")
  }

  static func contains(_ whole: TemplateValue, _ part: TemplateValue) throws(TemplateError) -> Bool {
    switch (whole, part) {
    case (.text(let whole), .text(let part)): return part.isEmpty || !whole.places(of: part, most: 1).isEmpty
    case (.map(let map), .text(let key)): return map[key.string] != nil
    case (.map, _), (.undefined, _): return false
    case (.list(let items), _): return items.contains { TemplateValue.equal($0, part) }
    default: throw fault("it searches in what is no text, list or map")
    }
  }

  static func arithmetic(
    _ op: TemplateExpression.Operator, _ a: TemplateValue, _ b: TemplateValue
  ) throws(TemplateError) -> TemplateValue {
    switch (op, a, b) {
    case (.concatenate, _, _): return .text(TemplateText.of(a) + TemplateText.of(b))
    case (.add, .text(let x), .text(let y)): return .text(x + y)
    case (.add, .list(let x), .list(let y)): return .list(x + y)
    case (.multiply, .text(let text), _):
      guard let count = b.whole, count <= 65_536, text.bytes.count * max(0, count) <= 1 << 20 else {
        throw fault("it repeats a text too often")
      }
      return .text((0..<max(0, count)).reduce(into: MarkedText()) { sum, _ in sum.append(text) })
    default: break
    }
    if op != .divide, let x = a.whole, let y = b.whole { return try whole(op, x, y) }
    guard let x = a.number, let y = b.number else { throw fault("it adds values that do not add") }
    switch op {
    case .add: return .real(x + y)
    case .subtract: return .real(x - y)
    case .multiply: return .real(x * y)
    case .divide:
      guard y != 0 else { throw fault("it divides by 0") }
      return .real(x / y)
    default: throw fault("it calculates with what is no whole number")
    }
  }

  private static func whole(
    _ op: TemplateExpression.Operator, _ x: Int, _ y: Int
  ) throws(TemplateError) -> TemplateValue {
    let (value, overflow): (Int, Bool)
    switch op {
    case .add: (value, overflow) = x.addingReportingOverflow(y)
    case .subtract: (value, overflow) = x.subtractingReportingOverflow(y)
    case .multiply: (value, overflow) = x.multipliedReportingOverflow(by: y)
    case .floorDivide, .remainder:
      guard y != 0, y != -1 || x != .min else { throw fault("it divides by 0") }
      // Rounded down, as Python does.
      let (quotient, rest) = x.quotientAndRemainder(dividingBy: y)
      let goesDown = rest != 0 && (rest < 0) != (y < 0)
      return .integer(op == .remainder ? (goesDown ? rest + y : rest) : (goesDown ? quotient - 1 : quotient))
    default:
      guard (0...62).contains(y), x.magnitude <= 2 else { throw fault("it raises to a power that is too large") }
      return .integer((0..<y).reduce(1) { power, _ in power * x })
    }
    guard !overflow else { throw fault("a number is too large") }
    return .integer(value)
  }

  /// A method of a text or a map; nil when it has none of that name.
  static func method(
    _ name: String, of value: TemplateValue, _ places: [TemplateValue]
  ) throws(TemplateError) -> TemplateValue? {
    switch value {
    case .text(let text): return try method(name, of: text, places)
    case .map(let map):
      switch name {
      case "get": return map[places.first?.string ?? ""] ?? (places.count > 1 ? places[1] : TemplateValue.none)
      case "items": return .list(map.entries.map { .list([.text($0.key), $0.value]) })
      case "keys": return .list(map.entries.map { .text($0.key) })
      case "values": return .list(map.entries.map(\.value))
      default: return nil
      }
    default: return nil
    }
  }

  private static func method(
    _ name: String, of text: MarkedText, _ places: [TemplateValue]
  ) throws(TemplateError) -> TemplateValue? {
    func affixes() -> [MarkedText] {
      switch places.first {
      case .text(let text)?: [text]
      case .list(let items)?: items.map(TemplateText.of)
      default: []
      }
    }
    switch name {
    case "strip": return .text(text.stripped(places.first?.string, left: true, right: true))
    case "lstrip": return .text(text.stripped(places.first?.string, left: true, right: false))
    case "rstrip": return .text(text.stripped(places.first?.string, left: false, right: true))
    case "startswith": return .bool(affixes().contains { text.bytes.starts(with: $0.bytes) })
    case "endswith": return .bool(affixes().contains { text.bytes.reversed().starts(with: $0.bytes.reversed()) })
    case "split":
      var separator: MarkedText?
      if case .text(let given)? = places.first { separator = given }
      return .list(text.split(separator, most: places.count > 1 ? places[1].whole : nil).map { .text($0) })
    case "splitlines": return .list(text.split(MarkedText("\n", authored: true), most: nil).map { .text($0) })
    case "find":
      guard case .text(let part)? = places.first else { return .integer(-1) }
      let place = part.isEmpty ? 0 : text.places(of: part, most: 1).first
      return .integer(place.map { text[0..<$0].string.unicodeScalars.count } ?? -1)
    case "count":
      guard case .text(let part)? = places.first else { return .integer(0) }
      return .integer(text.places(of: part, most: nil).count)
    case "join": return try TemplateFilters.apply("join", places.first ?? .undefined, [.text(text)], [:])
    case "upper", "lower", "title", "capitalize", "replace":
      return try TemplateFilters.apply(name, .text(text), places, [:])
    default: return nil
    }
  }
}

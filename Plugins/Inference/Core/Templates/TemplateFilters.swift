/// Filters, tests and methods of values, as Jinja and Python have them.
enum TemplateFilters {
  static let names: Set<String> = [
    "abs", "capitalize", "count", "default", "d", "dictsort", "first", "float", "indent", "int", "items", "join",
    "last",
    "length", "list", "lower", "map", "reject", "rejectattr", "replace", "reverse", "safe", "select", "selectattr",
    "sort", "string", "title", "tojson", "trim", "unique", "upper",
  ]
  static let tests: Set<String> = [
    "boolean", "callable", "defined", "divisibleby", "eq", "equalto", "even", "false", "float", "ge", "greaterthan",
    "gt", "in", "integer", "iterable", "le", "lessthan", "lower", "lt", "mapping", "ne", "none", "number", "odd",
    "sequence", "string", "true", "undefined", "upper",
  ]

  static func fault(_ reason: String) -> TemplateError { TemplateError(reason: reason) }

  /// A filter that needs nothing of the rendering.
  static func apply(
    _ name: String, _ value: TemplateValue, _ places: [TemplateValue], _ named: [String: TemplateValue]
  ) throws(TemplateError) -> TemplateValue {
    switch name {
    case "trim", "upper", "lower", "title", "capitalize", "replace", "indent":
      return .text(try text(name, TemplateText.of(value), places, named))
    case "length", "count": return .integer(try length(of: value))
    case "string", "safe": return .text(TemplateText.of(value))
    case "tojson": return .text(try TemplateText.json(value, indent: named["indent"] ?? places.first))
    case "default", "d":
      let isMissing: Bool
      if case .undefined = value { isMissing = true } else { isMissing = false }
      let alsoFalse = (places.count > 1 ? places[1] : named["boolean"])?.isTrue ?? false
      return isMissing || (alsoFalse && !value.isTrue) ? places.first ?? named["default_value"] ?? .text("") : value
    case "int": return .integer(whole(value) ?? places.first?.whole ?? 0)
    case "float": return .real(value.number ?? value.string.flatMap(Double.init) ?? 0)
    case "abs":
      guard let number = value.number else { throw fault("it takes the magnitude of no number") }
      return value.whole.map { .integer(Int(clamping: $0.magnitude)) } ?? .real(number.magnitude)
    default: return try list(name, value, places, named)
    }
  }

  private static func whole(_ value: TemplateValue) -> Int? {
    if let whole = value.whole { return whole }
    guard let number = value.number ?? value.string.flatMap({ Double($0.filter { $0 != " " }) }),
      number.magnitude < 1e18
    else { return nil }
    return Int(number)
  }

  private static func text(
    _ name: String, _ text: MarkedText, _ places: [TemplateValue], _ named: [String: TemplateValue]
  ) throws(TemplateError) -> MarkedText {
    switch name {
    case "trim": return text.stripped(places.first?.string, left: true, right: true)
    case "upper": return text.mapped { $0.uppercased() }
    case "lower": return text.mapped { $0.lowercased() }
    case "title": return text.mapped(TemplateText.titled)
    case "capitalize": return text.mapped { $0.prefix(1).uppercased() + $0.dropFirst().lowercased() }
    case "replace":
      guard places.count >= 2, case .text(let old) = places[0], case .text(let new) = places[1] else {
        throw fault("it replaces what is no text")
      }
      return try text.replacing(old, with: new, most: places.count > 2 ? places[2].whole : nil)
    default:
      let width = (places.first ?? named["width"])?.whole ?? 4
      let first = (places.count > 1 ? places[1] : named["first"])?.isTrue ?? false
      return text.indented(by: min(max(0, width), 256), first: first)
    }
  }

  static func length(of value: TemplateValue) throws(TemplateError) -> Int {
    switch value {
    case .list(let items): return items.count
    case .text(let text): return text.string.unicodeScalars.count
    case .map(let map): return map.entries.count
    case .undefined: return 0
    default: throw fault("it asks for the length of what has none")
    }
  }

  /// What a loop goes over.
  static func items(of value: TemplateValue) throws(TemplateError) -> [TemplateValue] {
    switch value {
    case .list(let items): return items
    case .map(let map): return map.entries.map { .text($0.key) }
    case .text(let text): return text.characters.map { .text($0) }
    case .undefined: return []
    default: throw fault("it loops over something that is no list")
    }
  }

  private static func list(
    _ name: String, _ value: TemplateValue, _ places: [TemplateValue], _ named: [String: TemplateValue]
  ) throws(TemplateError) -> TemplateValue {
    if case .text(let text) = value, name == "reverse" {
      return .text(text.characters.reversed().reduce(into: MarkedText()) { $0.append($1) })
    }
    if name == "items" || name == "dictsort" {
      guard case .map(let map) = value else { throw fault("it asks for the members of what is no map") }
      let entries = name == "items" ? map.entries : map.entries.sorted { key($0.key) < key($1.key) }
      return .list(entries.map { .list([.text($0.key), $0.value]) })
    }
    let items = try items(of: value)
    switch name {
    case "first": return items.first ?? .undefined
    case "last": return items.last ?? .undefined
    case "list": return .list(items)
    case "reverse": return .list(items.reversed())
    case "join":
      let between = (places.first ?? named["d"]).map(TemplateText.of) ?? MarkedText()
      let attribute = (places.count > 1 ? places[1] : named["attribute"])?.string
      var text = MarkedText()
      for (index, item) in items.enumerated() {
        if index > 0 { text.append(between) }
        text.append(TemplateText.of(attribute.map { member(item, $0) } ?? item))
      }
      return .text(text)
    case "unique":
      var seen: [TemplateValue] = []
      for item in items where !seen.contains(where: { TemplateValue.equal($0, item) }) { seen.append(item) }
      return .list(seen)
    case "sort":
      let attribute = named["attribute"]?.string
      let sorted = try sorted(items) { item in attribute.map { member(item, $0) } ?? item }
      return .list((places.first ?? named["reverse"])?.isTrue == true ? sorted.reversed() : sorted)
    default: return .list(items)
    }

    func key(_ text: MarkedText) -> String { text.string.lowercased() }
  }

  /// A member by a path of names with dots.
  static func member(_ value: TemplateValue, _ path: String) -> TemplateValue {
    path.split(separator: ".").reduce(value) { value, name in
      switch value {
      case .map(let map): map[String(name)] ?? .undefined
      case .list(let items): Int(name).flatMap { items.indices.contains($0) ? items[$0] : nil } ?? .undefined
      default: .undefined
      }
    }
  }

  static func sorted(
    _ items: [TemplateValue], by key: (TemplateValue) -> TemplateValue
  ) throws(TemplateError) -> [TemplateValue] {
    let keyed = items.map { (key: key($0), item: $0) }
    if keyed.allSatisfy({ $0.key.number != nil }) {
      return keyed.sorted { ($0.key.number ?? 0) < ($1.key.number ?? 0) }.map(\.item)
    }
    guard keyed.allSatisfy({ $0.key.string != nil }) else { throw fault("it sorts what has no order") }
    return keyed.sorted { ($0.key.string ?? "").lowercased() < ($1.key.string ?? "").lowercased() }.map(\.item)
  }

  /// A test without its negation.
  static func test(
    _ name: String, _ value: TemplateValue, _ places: [TemplateValue]
  ) throws(TemplateError) -> Bool {
    switch (name, value) {
    case ("defined", .undefined): return false
    case ("defined", _): return true
    case ("undefined", .undefined): return true
    case ("none", .none), ("string", .text), ("mapping", .map), ("boolean", .bool), ("integer", .integer),
      ("float", .real), ("callable", .macro):
      return true
    case ("true", .bool(let flag)): return flag
    case ("false", .bool(let flag)): return !flag
    case ("number", .integer), ("number", .real), ("number", .bool): return true
    case ("iterable", .list), ("iterable", .map), ("iterable", .text), ("sequence", .list), ("sequence", .map),
      ("sequence", .text), ("iterable", .undefined), ("sequence", .undefined):
      return true
    case ("odd", _): return try remainder(value, 2) == 1
    case ("even", _): return try remainder(value, 2) == 0
    case ("divisibleby", _): return try remainder(value, places.first?.whole ?? 0) == 0
    case ("lower", .text(let text)): return text.string == text.string.lowercased()
    case ("upper", .text(let text)): return text.string == text.string.uppercased()
    case ("in", _): return try TemplateOperators.contains(places.first ?? .undefined, value)
    default: return try comparison(name, value, places.first)
    }
  }

  private static func remainder(_ value: TemplateValue, _ divisor: Int) throws(TemplateError) -> Int {
    guard let whole = value.whole, divisor > 0 else { throw fault("it divides what does not divide") }
    return (whole % divisor + divisor) % divisor
  }

  private static func comparison(
    _ name: String, _ value: TemplateValue, _ other: TemplateValue?
  ) throws(TemplateError) -> Bool {
    let comparisons: [String: TemplateExpression.Comparison] = [
      "eq": .equal, "equalto": .equal, "ne": .notEqual, "lt": .less, "lessthan": .less, "le": .lessOrEqual,
      "gt": .greater, "greaterthan": .greater, "ge": .greaterOrEqual,
    ]
    guard let op = comparisons[name], let other else { return false }
    return try TemplateOperators.compare(op, value, other)
  }
}

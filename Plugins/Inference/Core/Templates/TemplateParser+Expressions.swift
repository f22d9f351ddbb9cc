/// Expressions, from the loosest to the tightest.
extension TemplateParser {
  mutating func tuple() throws(TemplateError) -> TemplateExpression {
    let first = try expression()
    guard next == .symbol(",") else { return first }
    var items = [first]
    while take(",") { items.append(try expression()) }
    return .list(items)
  }

  mutating func expression() throws(TemplateError) -> TemplateExpression {
    try nested { (parser) throws(TemplateError) in
      let value = try parser.disjunction()
      guard parser.takeWord("if") else { return value }
      let condition = try parser.disjunction()
      return .ternary(condition: condition, value, parser.takeWord("else") ? try parser.expression() : nil)
    }
  }

  mutating func disjunction() throws(TemplateError) -> TemplateExpression {
    var left = try conjunction()
    while takeWord("or") { left = .binary(.or, left, try conjunction()) }
    return left
  }

  private mutating func conjunction() throws(TemplateError) -> TemplateExpression {
    var left = try negation()
    while takeWord("and") { left = .binary(.and, left, try negation()) }
    return left
  }

  private mutating func negation() throws(TemplateError) -> TemplateExpression {
    guard takeWord("not") else { return try comparison() }
    return try nested { (parser) throws(TemplateError) in .not(try parser.negation()) }
  }

  private mutating func comparison() throws(TemplateError) -> TemplateExpression {
    let symbols: [(String, TemplateExpression.Comparison)] = [
      ("==", .equal), ("!=", .notEqual), ("<", .less), ("<=", .lessOrEqual), (">", .greater), (">=", .greaterOrEqual),
    ]
    let left = try sum()
    var parts: [(op: TemplateExpression.Comparison, TemplateExpression)] = []
    while true {
      if let (symbol, op) = symbols.first(where: { next == .symbol($0.0) }) {
        _ = take(symbol)
        parts.append((op, try sum()))
      } else if takeWord("in") {
        parts.append((.isIn, try sum()))
      } else if next == .name("not"), place + 1 < tokens.count, tokens[place + 1] == .name("in") {
        place += 2
        parts.append((.isNotIn, try sum()))
      } else {
        return parts.isEmpty ? left : .comparison(left, parts)
      }
    }
  }

  private mutating func sum() throws(TemplateError) -> TemplateExpression {
    var left = try concatenation()
    while true {
      if take("+") {
        left = .binary(.add, left, try concatenation())
      } else if take("-") {
        left = .binary(.subtract, left, try concatenation())
      } else {
        return left
      }
    }
  }

  private mutating func concatenation() throws(TemplateError) -> TemplateExpression {
    var left = try product()
    while take("~") { left = .binary(.concatenate, left, try product()) }
    return left
  }

  private mutating func product() throws(TemplateError) -> TemplateExpression {
    let symbols: [(String, TemplateExpression.Operator)] = [
      ("*", .multiply), ("/", .divide), ("//", .floorDivide), ("%", .remainder),
    ]
    var left = try power()
    while let (symbol, op) = symbols.first(where: { next == .symbol($0.0) }) {
      _ = take(symbol)
      left = .binary(op, left, try power())
    }
    return left
  }

  private mutating func power() throws(TemplateError) -> TemplateExpression {
    var left = try unary(isFiltered: true)
    while take("**") { left = .binary(.power, left, try unary(isFiltered: true)) }
    return left
  }

  private mutating func unary(isFiltered: Bool) throws(TemplateError) -> TemplateExpression {
    try nested { (parser) throws(TemplateError) in
      var value: TemplateExpression
      if parser.take("-") {
        value = .negative(try parser.unary(isFiltered: false))
      } else if parser.take("+") {
        value = try parser.unary(isFiltered: false)
      } else {
        value = try parser.postfix(try parser.primary())
      }
      if isFiltered { value = try parser.filters(value) }
      return value
    }
  }

  private mutating func primary() throws(TemplateError) -> TemplateExpression {
    guard let token = next else { throw TemplateError(reason: "an expression has no end") }
    place += 1
    switch token {
    case .integer(let value): return .literal(.integer(value))
    case .real(let value): return .literal(.real(value))
    case .string(var text):
      // Texts that stand beside each other are one.
      while case .string(let more)? = next {
        text += more
        place += 1
      }
      return .literal(.text(text))
    case .name(let name):
      switch name {
      case "true", "True": return .literal(.bool(true))
      case "false", "False": return .literal(.bool(false))
      case "none", "None": return .literal(.none)
      default: return .name(name)
      }
    case .symbol("("):
      if take(")") { return .list([]) }
      let value = try tuple()
      try need(")")
      return value
    case .symbol("["): return .list(try items("]"))
    case .symbol("{"): return try map()
    default: throw TemplateError(reason: "an expression begins with what begins none")
    }
  }

  private mutating func items(_ end: String) throws(TemplateError) -> [TemplateExpression] {
    var items: [TemplateExpression] = []
    while !take(end) {
      items.append(try expression())
      if next != .symbol(end) { try need(",") }
    }
    return items
  }

  private mutating func map() throws(TemplateError) -> TemplateExpression {
    var pairs: [(key: TemplateExpression, value: TemplateExpression)] = []
    while !take("}") {
      let key = try expression()
      try need(":")
      pairs.append((key, try expression()))
      if next != .symbol("}") { try need(",") }
    }
    return .map(pairs)
  }

  private mutating func postfix(_ start: TemplateExpression) throws(TemplateError) -> TemplateExpression {
    var value = start
    var steps = 0
    while true {
      steps += 1
      guard steps <= Self.mostNested else { throw TemplateError(reason: "it is nested too deep") }
      if take(".") {
        if case .integer(let index)? = next {
          place += 1
          value = .member(value, .literal(.integer(index)))
        } else {
          value = .member(value, .literal(.text(try name())))
        }
      } else if take("[") {
        value = try subscripted(value)
      } else if take("(") {
        value = .call(value, try arguments())
      } else {
        return value
      }
    }
  }

  private mutating func subscripted(_ value: TemplateExpression) throws(TemplateError) -> TemplateExpression {
    var parts: [TemplateExpression?] = [nil]
    while !take("]") {
      if take(":") {
        parts.append(nil)
        guard parts.count <= 3 else { throw TemplateError(reason: "a slice has too many parts") }
      } else {
        guard case Optional.none = parts[parts.count - 1] else { throw TemplateError(reason: "it lacks a \"]\"") }
        parts[parts.count - 1] = try expression()
      }
    }
    if parts.count > 1 { return .slice(value, from: parts[0], to: parts[1], step: parts.count > 2 ? parts[2] : nil) }
    guard let key = parts[0] else { throw TemplateError(reason: "a subscript is empty") }
    return .member(value, key)
  }

  /// Arguments behind a "(" that was taken.
  private mutating func arguments() throws(TemplateError) -> TemplateArguments {
    var arguments = TemplateArguments()
    while !take(")") {
      if case .name(let name)? = next, place + 1 < tokens.count, tokens[place + 1] == .symbol("=") {
        place += 2
        arguments.names.append((name, try expression()))
      } else {
        arguments.places.append(try expression())
      }
      if next != .symbol(")") { try need(",") }
    }
    return arguments
  }

  private mutating func filters(_ start: TemplateExpression) throws(TemplateError) -> TemplateExpression {
    var value = start
    var steps = 0
    while true {
      steps += 1
      guard steps <= Self.mostNested else { throw TemplateError(reason: "it is nested too deep") }
      if take("|") {
        let name = try name()
        guard TemplateFilters.names.contains(name) else {
          throw TemplateError(reason: "it uses the filter \"\(name.prefix(32))\", which is not understood")
        }
        value = .filter(name, value, take("(") ? try arguments() : TemplateArguments())
      } else if takeWord("is") {
        value = try test(of: value)
      } else {
        return value
      }
    }
  }

  private mutating func test(of value: TemplateExpression) throws(TemplateError) -> TemplateExpression {
    let isNegated = takeWord("not")
    let name = try name()
    guard TemplateFilters.tests.contains(name) else {
      throw TemplateError(reason: "it uses the test \"\(name.prefix(32))\", which is not understood")
    }
    var arguments = TemplateArguments()
    if take("(") {
      arguments = try self.arguments()
    } else if beginsArgument {
      arguments.places = [try postfix(try primary())]
    }
    return .test(name, value, arguments, isNegated: isNegated)
  }

  private var beginsArgument: Bool {
    switch next {
    case .integer?, .real?, .string?, .symbol("[")?, .symbol("{")?: true
    case .name(let name)?: !["else", "or", "and", "if", "is", "in", "not", "recursive"].contains(name)
    default: false
    }
  }
}

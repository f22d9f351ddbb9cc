/// Reads a template's statements, with bounded nesting.
struct TemplateParser {
  static let mostBytes = 1 << 20
  private static let (mostTokens, mostNested) = (200_000, 100)

  private let tokens: [TemplateLexer.Token]
  private var place = 0
  private var depth = 0

  static func parse(_ source: String) throws(TemplateError) -> [TemplateStatement] {
    guard source.utf8.count <= mostBytes else { throw TemplateError(reason: "it has more than \(mostBytes) bytes") }
    let tokens = try TemplateLexer.tokens(source)
    guard tokens.count <= mostTokens else { throw TemplateError(reason: "it has more than \(mostTokens) parts") }
    var parser = TemplateParser(tokens: tokens)
    let (statements, end) = try parser.body(until: [])
    guard end == nil else { throw TemplateError(reason: "it ends what it did not begin") }
    return statements
  }

  private init(tokens: [TemplateLexer.Token]) { self.tokens = tokens }

  private var next: TemplateLexer.Token? { place < tokens.count ? tokens[place] : nil }

  private mutating func take(_ token: TemplateLexer.Token) -> Bool {
    guard next == token else { return false }
    place += 1
    return true
  }

  private mutating func take(_ symbol: String) -> Bool { take(.symbol(symbol)) }

  private mutating func takeWord(_ word: String) -> Bool { take(.name(word)) }

  private mutating func need(_ symbol: String) throws(TemplateError) {
    guard take(symbol) else { throw TemplateError(reason: "it lacks a \"\(symbol)\"") }
  }

  private mutating func need(_ token: TemplateLexer.Token, _ what: String) throws(TemplateError) {
    guard take(token) else { throw TemplateError(reason: "it lacks \(what)") }
  }

  private mutating func name() throws(TemplateError) -> String {
    guard case .name(let name)? = next else { throw TemplateError(reason: "it lacks a name") }
    place += 1
    return name
  }

  private mutating func nested<Value>(
    _ body: (inout TemplateParser) throws(TemplateError) -> Value
  ) throws(TemplateError) -> Value {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.mostNested else { throw TemplateError(reason: "it is nested too deep") }
    return try body(&self)
  }

  /// Statements up to a tag with one of these words, which is taken; its word, or nil at the end of the template.
  private mutating func body(
    until words: Set<String>
  ) throws(TemplateError) -> (statements: [TemplateStatement], end: String?) {
    try nested { (parser) throws(TemplateError) in
      var statements: [TemplateStatement] = []
      while let token = parser.next {
        parser.place += 1
        switch token {
        case .text(let text): statements.append(.text(text))
        case .openOutput:
          statements.append(.output(try parser.expression()))
          try parser.need(.closeOutput, "a \"}}\"")
        case .openBlock:
          let word = try parser.name()
          if words.contains(word) { return (statements, word) }
          if let statement = try parser.statement(word) { statements.append(statement) }
        default: throw TemplateError(reason: "it holds a tag that nothing opened")
        }
      }
      guard words.isEmpty else { throw TemplateError(reason: "a block has no end") }
      return (statements, nil)
    }
  }

  private mutating func closeBlock() throws(TemplateError) { try need(.closeBlock, "a \"%}\"") }

  private mutating func statement(_ word: String) throws(TemplateError) -> TemplateStatement? {
    switch word {
    case "if": return try choice()
    case "for": return try loop()
    case "set": return try set()
    case "macro": return try macro()
    case "break", "continue":
      try closeBlock()
      return word == "break" ? .leave : .next
    case "generation":
      // Marks what training looks at; it changes no text.
      try closeBlock()
      let (body, _) = try body(until: ["endgeneration"])
      try closeBlock()
      return .choice([(nil, body)])
    default: throw TemplateError(reason: "it uses the statement \"\(word.prefix(32))\", which is not understood")
    }
  }

  private mutating func choice() throws(TemplateError) -> TemplateStatement {
    var branches: [(condition: TemplateExpression?, body: [TemplateStatement])] = []
    var condition: TemplateExpression? = try expression()
    while true {
      try closeBlock()
      let isLast = condition.map { _ in false } ?? true
      let (body, end) = try body(until: isLast ? ["endif"] : ["elif", "else", "endif"])
      branches.append((condition, body))
      switch end {
      case "elif": condition = try expression()
      case "else": condition = nil
      default:
        try closeBlock()
        return .choice(branches)
      }
    }
  }

  private mutating func names() throws(TemplateError) -> [String] {
    var names = [try name()]
    while take(",") { names.append(try name()) }
    return names
  }

  private mutating func loop() throws(TemplateError) -> TemplateStatement {
    let isGrouped = take("(")
    let names = try names()
    if isGrouped { try need(")") }
    guard takeWord("in") else { throw TemplateError(reason: "a loop lacks \"in\"") }
    let sequence = try disjunction()
    let condition = takeWord("if") ? try expression() : nil
    _ = takeWord("recursive")
    try closeBlock()
    var (body, end) = try body(until: ["else", "endfor"])
    var otherwise: [TemplateStatement] = []
    if end == "else" {
      try closeBlock()
      (otherwise, end) = try self.body(until: ["endfor"])
    }
    try closeBlock()
    return .loop(
      TemplateLoop(names: names, sequence: sequence, condition: condition, body: body, otherwise: otherwise))
  }

  private mutating func set() throws(TemplateError) -> TemplateStatement {
    let first = try name()
    if take(".") {
      let member = try name()
      try need("=")
      let value = try tuple()
      try closeBlock()
      return .setMember(first, member, value)
    }
    if take(.closeBlock) {
      let (body, _) = try body(until: ["endset"])
      try closeBlock()
      return .setBlock(first, body)
    }
    var names = [first]
    while take(",") { names.append(try name()) }
    try need("=")
    let value = try tuple()
    try closeBlock()
    return .set(names, value)
  }

  private mutating func macro() throws(TemplateError) -> TemplateStatement {
    let title = try name()
    var parameters: [(name: String, value: TemplateExpression?)] = []
    try need("(")
    while !take(")") {
      let name = try name()
      parameters.append((name, take("=") ? try expression() : nil))
      if next != .symbol(")") { try need(",") }
    }
    try closeBlock()
    let (body, _) = try body(until: ["endmacro"])
    try closeBlock()
    return .macro(TemplateMacro(name: title, parameters: parameters, body: body))
  }
}

// MARK: - Expressions, from the loosest to the tightest

extension TemplateParser {
  private mutating func tuple() throws(TemplateError) -> TemplateExpression {
    let first = try expression()
    guard next == .symbol(",") else { return first }
    var items = [first]
    while take(",") { items.append(try expression()) }
    return .list(items)
  }

  private mutating func expression() throws(TemplateError) -> TemplateExpression {
    try nested { (parser) throws(TemplateError) in
      let value = try parser.disjunction()
      guard parser.takeWord("if") else { return value }
      let condition = try parser.disjunction()
      return .ternary(condition: condition, value, parser.takeWord("else") ? try parser.expression() : nil)
    }
  }

  private mutating func disjunction() throws(TemplateError) -> TemplateExpression {
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

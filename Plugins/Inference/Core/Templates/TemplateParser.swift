/// Reads a template's statements, with bounded nesting.
struct TemplateParser {
  static let mostBytes = 1 << 20
  static let (mostTokens, mostNested) = (200_000, 100)

  let tokens: [TemplateLexer.Token]
  var place = 0
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

  var next: TemplateLexer.Token? { place < tokens.count ? tokens[place] : nil }

  mutating func take(_ token: TemplateLexer.Token) -> Bool {
    guard next == token else { return false }
    place += 1
    return true
  }

  mutating func take(_ symbol: String) -> Bool { take(.symbol(symbol)) }

  mutating func takeWord(_ word: String) -> Bool { take(.name(word)) }

  mutating func need(_ symbol: String) throws(TemplateError) {
    guard take(symbol) else { throw TemplateError(reason: "it lacks a \"\(symbol)\"") }
  }

  mutating func need(_ token: TemplateLexer.Token, _ what: String) throws(TemplateError) {
    guard take(token) else { throw TemplateError(reason: "it lacks \(what)") }
  }

  mutating func name() throws(TemplateError) -> String {
    guard case .name(let name)? = next else { throw TemplateError(reason: "it lacks a name") }
    place += 1
    return name
  }

  mutating func nested<Value>(
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

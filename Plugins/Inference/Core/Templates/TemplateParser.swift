/// Reads the pieces of a template into statements.
struct TemplateParser {
  private let pieces: [TemplateLexer.Piece]
  private var next = 0
  private var words: [TemplateLexer.Word] = []
  private var at = 0
  private var depth = 0

  /// How deep statements and expressions may nest.
  private static let deepest = 64

  /// The statements of a template.
  static func parse(_ source: String) throws(TemplateError) -> [TemplateStatement] {
    var lexer = TemplateLexer(source)
    var parser = TemplateParser(pieces: try lexer.pieces())
    let (statements, end) = try parser.body([])
    if let end { throw TemplateError(reason: "\"\(end)\" stands alone") }
    return statements
  }

  private init(pieces: [TemplateLexer.Piece]) { self.pieces = pieces }

  /// Statements up to a block that begins with one of `ends`, whose words are then current.
  private mutating func body(_ ends: Set<String>) throws(TemplateError) -> ([TemplateStatement], String?) {
    try enter()
    defer { depth -= 1 }
    var statements: [TemplateStatement] = []
    while next < pieces.count {
      let piece = pieces[next]
      next += 1
      switch piece {
      case .text(let text): statements.append(.text(MarkedText(text, authored: true)))
      case .output(let output):
        begin(output)
        statements.append(.output(try whole()))
      case .block(let block):
        begin(block)
        guard case .name(let keyword) = block.first else { throw TemplateError(reason: "a block has no keyword") }
        at = 1
        if ends.contains(keyword) { return (statements, keyword) }
        statements.append(try statement(keyword))
      }
    }
    if let wanted = ends.sorted().last { throw TemplateError(reason: "\"\(wanted)\" is missing") }
    return (statements, nil)
  }

  private mutating func statement(_ keyword: String) throws(TemplateError) -> TemplateStatement {
    switch keyword {
    case "for":
      let name = try name()
      try expect(.name("in"))
      let sequence = try whole()
      return .loop(name, sequence, try body(["endfor"]).0)
    case "if":
      var branches: [(condition: TemplateExpression?, body: [TemplateStatement])] = []
      var condition: TemplateExpression? = try whole()
      while true {
        let (statements, end) = try body(condition == nil ? ["endif"] : ["elif", "else", "endif"])
        branches.append((condition, statements))
        if end == "endif" { return .choice(branches) }
        condition = end == "elif" ? try whole() : nil
      }
    case "set":
      let name = try name()
      try expect(.symbol("="))
      return .set(name, try whole())
    default: throw TemplateError(reason: "it uses the block \"\(keyword)\"")
    }
  }

  private mutating func begin(_ words: [TemplateLexer.Word]) {
    self.words = words
    at = 0
  }

  private mutating func enter() throws(TemplateError) {
    depth += 1
    if depth > Self.deepest { throw TemplateError(reason: "it nests too deep") }
  }

  private mutating func accept(_ word: TemplateLexer.Word) -> Bool {
    guard at < words.count, words[at] == word else { return false }
    at += 1
    return true
  }

  private mutating func expect(_ word: TemplateLexer.Word) throws(TemplateError) {
    guard accept(word) else { throw unexpected() }
  }

  private func unexpected() -> TemplateError {
    TemplateError(reason: at < words.count ? "\(words[at]) is not expected" : "an expression ends too early")
  }

  private mutating func name() throws(TemplateError) -> String {
    guard at < words.count, case .name(let name) = words[at] else { throw unexpected() }
    at += 1
    return name
  }

  /// An expression that takes all the words there are.
  private mutating func whole() throws(TemplateError) -> TemplateExpression {
    let expression = try either()
    guard at == words.count else { throw unexpected() }
    return expression
  }

  private mutating func either() throws(TemplateError) -> TemplateExpression {
    try enter()
    defer { depth -= 1 }
    var left = try both()
    while accept(.name("or")) { left = .binary(.or, left, try both()) }
    return left
  }

  private mutating func both() throws(TemplateError) -> TemplateExpression {
    var left = try negation()
    while accept(.name("and")) { left = .binary(.and, left, try negation()) }
    return left
  }

  private mutating func negation() throws(TemplateError) -> TemplateExpression {
    guard accept(.name("not")) else { return try comparison() }
    try enter()
    defer { depth -= 1 }
    return .not(try negation())
  }

  private mutating func comparison() throws(TemplateError) -> TemplateExpression {
    var left = try sum()
    while true {
      if accept(.symbol("==")) {
        left = .binary(.equal, left, try sum())
      } else if accept(.symbol("!=")) {
        left = .binary(.notEqual, left, try sum())
      } else if accept(.name("in")) {
        left = .binary(.contains, left, try sum())
      } else if accept(.name("is")) {
        let negated = accept(.name("not"))
        try expect(.name("defined"))
        left = negated ? .not(.isDefined(left)) : .isDefined(left)
      } else {
        return left
      }
    }
  }

  private mutating func sum() throws(TemplateError) -> TemplateExpression {
    var left = try product()
    while accept(.symbol("+")) || accept(.symbol("~")) { left = .binary(.add, left, try product()) }
    return left
  }

  private mutating func product() throws(TemplateError) -> TemplateExpression {
    var left = try postfix()
    while accept(.symbol("%")) { left = .binary(.remainder, left, try postfix()) }
    return left
  }

  private mutating func postfix() throws(TemplateError) -> TemplateExpression {
    var value = try primary()
    while true {
      if accept(.symbol(".")) {
        value = .member(value, .literal(.text(MarkedText(try name(), authored: true))))
      } else if accept(.symbol("[")) {
        value = try subscripted(value)
      } else if accept(.symbol("|")) {
        switch try name() {
        case "trim": value = .trim(value)
        case "length": value = .length(value)
        case let other: throw TemplateError(reason: "it uses the filter \"\(other)\"")
        }
      } else {
        return value
      }
    }
  }

  private mutating func subscripted(_ value: TemplateExpression) throws(TemplateError) -> TemplateExpression {
    var from: TemplateExpression?
    if accept(.symbol(":")) {
      if accept(.symbol("]")) { return .slice(value, from: nil, to: nil) }
    } else {
      let index = try either()
      if accept(.symbol("]")) { return .member(value, index) }
      try expect(.symbol(":"))
      if accept(.symbol("]")) { return .slice(value, from: index, to: nil) }
      from = index
    }
    let to = try either()
    try expect(.symbol("]"))
    return .slice(value, from: from, to: to)
  }

  private mutating func primary() throws(TemplateError) -> TemplateExpression {
    guard at < words.count else { throw unexpected() }
    defer { at += 1 }
    switch words[at] {
    case .string(let text): return .literal(.text(MarkedText(text, authored: true)))
    case .integer(let number): return .literal(.integer(number))
    case .symbol("-"):
      guard at + 1 < words.count, case .integer(let number) = words[at + 1] else { throw unexpected() }
      at += 1
      return .literal(.integer(-number))
    case .symbol("("):
      at += 1
      let inner = try either()
      guard at < words.count, words[at] == .symbol(")") else { throw unexpected() }
      return inner
    case .name("true"), .name("True"): return .literal(.bool(true))
    case .name("false"), .name("False"): return .literal(.bool(false))
    case .name("none"), .name("None"): return .literal(.none)
    case .name("raise_exception"):
      at += 1
      guard at < words.count, words[at] == .symbol("(") else { throw unexpected() }
      at += 1
      let reason = try either()
      guard at < words.count, words[at] == .symbol(")") else { throw unexpected() }
      return .raise(reason)
    case .name(let name): return .name(name)
    case .symbol: throw unexpected()
    }
  }
}

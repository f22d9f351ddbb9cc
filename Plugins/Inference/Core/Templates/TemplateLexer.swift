/// Cuts a template into text, expressions and statements, as Jinja does with `trim_blocks` and `lstrip_blocks`.
struct TemplateLexer {
  enum Token: Equatable {
    case text(MarkedText)
    /// `{{`, `}}`, `{%`, `%}` as what they open or close.
    case openOutput, closeOutput, openBlock, closeBlock
    case name(String)
    case integer(Int)
    case real(Double)
    case string(String)
    case symbol(String)
  }

  private let source: [UInt8]
  private var place = 0
  private(set) var tokens: [Token] = []
  /// Whether what comes is at the beginning of a line.
  private var startsLine = true
  /// The last tag asked for the white space behind it to go.
  private var trimsNext = false

  static func tokens(_ template: String) throws(TemplateError) -> [Token] {
    var text = template.replacing("\r\n", with: "\n").replacing("\r", with: "\n")
    if text.hasSuffix("\n") { text.removeLast() }
    var lexer = TemplateLexer(source: Array(text.utf8))
    while lexer.place < lexer.source.count { try lexer.piece() }
    return lexer.tokens
  }

  private init(source: [UInt8]) { self.source = source }

  private func isAt(_ text: StaticString, _ place: Int) -> Bool {
    let count = text.utf8CodeUnitCount
    guard place + count <= source.count else { return false }
    return (0..<count).allSatisfy { source[place + $0] == text.utf8Start[$0] }
  }

  private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0d).contains(byte) }

  /// Text up to the next tag, and the tag.
  private mutating func piece() throws(TemplateError) {
    var end = place
    while end < source.count, !(isAt("{{", end) || isAt("{%", end) || isAt("{#", end)) { end += 1 }
    var text = source[place..<end]
    if trimsNext { text = text.drop(while: Self.isBlank) }
    trimsNext = false
    guard end < source.count else {
      place = end
      return add(text)
    }
    let isOutput = source[end + 1] == UInt8(ascii: "{")
    let sign = end + 2 < source.count ? source[end + 2] : 0
    if sign == UInt8(ascii: "-") {
      while let last = text.last, Self.isBlank(last) { text.removeLast() }
    } else if !isOutput, sign != UInt8(ascii: "+") {
      // White space before a tag that begins its line goes.
      let line = text.lastIndex(of: 0x0a).map { $0 + 1 } ?? (startsLine ? text.startIndex : nil)
      if let line, text[line...].allSatisfy({ $0 == 0x20 || $0 == 0x09 }) { text = text[..<line] }
    }
    add(text)
    place = end + (sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") ? 3 : 2)
    if source[end + 1] == UInt8(ascii: "#") { return try comment() }
    tokens.append(isOutput ? .openOutput : .openBlock)
    try code(isOutput)
    if !isOutput { try raw() }
  }

  private mutating func add(_ text: ArraySlice<UInt8>) {
    if !text.isEmpty { tokens.append(.text(MarkedText(String(decoding: text, as: UTF8.self), authored: true))) }
  }

  /// What follows a closed tag: `-` takes all white space, the end of a block or comment takes its line's end.
  private mutating func close(sign: UInt8, isOutput: Bool) {
    trimsNext = sign == UInt8(ascii: "-")
    startsLine = false
    guard !trimsNext, !isOutput, sign != UInt8(ascii: "+"), place < source.count, source[place] == 0x0a else { return }
    place += 1
    startsLine = true
  }

  private mutating func comment() throws(TemplateError) {
    while place < source.count, !isAt("#}", place) { place += 1 }
    guard place < source.count else { throw TemplateError(reason: "a comment has no end") }
    let sign = source[place - 1]
    place += 2
    close(sign: sign, isOutput: false)
  }

  /// `{% raw %}` … `{% endraw %}`: text as it is.
  private mutating func raw() throws(TemplateError) {
    guard tokens.suffix(3) == [.openBlock, .name("raw"), .closeBlock] else { return }
    tokens.removeLast(3)
    var end = place
    while end < source.count {
      guard isAt("{%", end) else {
        end += 1
        continue
      }
      var lexer = TemplateLexer(source: source)
      lexer.place = end + (end + 2 < source.count && [0x2d, 0x2b].contains(source[end + 2]) ? 3 : 2)
      if (try? lexer.code(false)) != nil, lexer.tokens == [.name("endraw"), .closeBlock] {
        add(source[place..<end])
        (place, trimsNext, startsLine) = (lexer.place, lexer.trimsNext, lexer.startsLine)
        return
      }
      end += 2
    }
    throw TemplateError(reason: "a raw part has no end")
  }

  /// The tokens of a tag, to its end.
  private mutating func code(_ isOutput: Bool) throws(TemplateError) {
    var depth = 0
    while place < source.count {
      let byte = source[place]
      if Self.isBlank(byte) {
        place += 1
        continue
      }
      if depth == 0 {
        let signed = byte == UInt8(ascii: "-") || byte == UInt8(ascii: "+")
        let end = signed ? place + 1 : place
        if isOutput ? isAt("}}", end) : isAt("%}", end) {
          place = end + 2
          tokens.append(isOutput ? .closeOutput : .closeBlock)
          return close(sign: signed ? byte : 0, isOutput: isOutput)
        }
      }
      if [UInt8(ascii: "("), UInt8(ascii: "["), UInt8(ascii: "{")].contains(byte) { depth += 1 }
      if [UInt8(ascii: ")"), UInt8(ascii: "]"), UInt8(ascii: "}")].contains(byte) { depth -= 1 }
      tokens.append(try word())
    }
    throw TemplateError(reason: "a tag has no end")
  }

  private mutating func word() throws(TemplateError) -> Token {
    let byte = source[place]
    func isLetter(_ byte: UInt8) -> Bool {
      byte == UInt8(ascii: "_") || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
    }
    func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
    if isLetter(byte) {
      let start = place
      while place < source.count, isLetter(source[place]) || isDigit(source[place]) { place += 1 }
      return .name(String(decoding: source[start..<place], as: UTF8.self))
    }
    if isDigit(byte) { return try number() }
    if byte == UInt8(ascii: "'") || byte == UInt8(ascii: "\"") { return .string(try quoted(byte)) }
    for symbol in ["==", "!=", "<=", ">=", "//", "**"] where source[place...].starts(with: Array(symbol.utf8)) {
      place += 2
      return .symbol(symbol)
    }
    guard "+-*/%~<>()[]{},.:|=".utf8.contains(byte) else {
      throw TemplateError(reason: "it holds a character that no expression has")
    }
    place += 1
    return .symbol(String(Unicode.Scalar(byte)))
  }

  private mutating func number() throws(TemplateError) -> Token {
    let start = place
    func digits() -> Int { source[place...].prefix { (0x30...0x39).contains($0) || $0 == UInt8(ascii: "_") }.count }
    place += digits()
    var isReal = false
    if isAt(".", place), place + 1 < source.count, (0x30...0x39).contains(source[place + 1]) {
      isReal = true
      place += 1
      place += digits()
    }
    if isAt("e", place) || isAt("E", place) {
      let sign = place + 1 < source.count && [UInt8(ascii: "+"), UInt8(ascii: "-")].contains(source[place + 1]) ? 1 : 0
      let first = place + 1 + sign
      if first < source.count, (0x30...0x39).contains(source[first]) {
        isReal = true
        place = first
        place += digits()
      }
    }
    let text = String(decoding: source[start..<place].filter { $0 != UInt8(ascii: "_") }, as: UTF8.self)
    if isReal, let value = Double(text) { return .real(value) }
    guard !isReal, let value = Int(text) else { throw TemplateError(reason: "a number is too large") }
    return .integer(value)
  }

  private mutating func quoted(_ quote: UInt8) throws(TemplateError) -> String {
    place += 1
    var bytes: [UInt8] = []
    while place < source.count {
      let byte = source[place]
      place += 1
      if byte == quote { return String(decoding: bytes, as: UTF8.self) }
      guard byte == UInt8(ascii: "\\"), place < source.count else {
        bytes.append(byte)
        continue
      }
      let escape = source[place]
      place += 1
      switch escape {
      case UInt8(ascii: "n"): bytes.append(0x0a)
      case UInt8(ascii: "t"): bytes.append(0x09)
      case UInt8(ascii: "r"): bytes.append(0x0d)
      case UInt8(ascii: "\\"), UInt8(ascii: "'"), UInt8(ascii: "\""): bytes.append(escape)
      case 0x0a: break
      case UInt8(ascii: "x"), UInt8(ascii: "u"), UInt8(ascii: "U"):
        let count = escape == UInt8(ascii: "x") ? 2 : escape == UInt8(ascii: "u") ? 4 : 8
        let digits = String(decoding: source[place...].prefix(count), as: UTF8.self)
        guard digits.utf8.count == count, let value = UInt32(digits, radix: 16), let scalar = Unicode.Scalar(value)
        else { throw TemplateError(reason: "a text holds an escape that is no character") }
        place += count
        bytes += Array(String(scalar).utf8)
      default: bytes += [UInt8(ascii: "\\"), escape]
      }
    }
    throw TemplateError(reason: "a text has no end")
  }
}

/// Cuts a template into text and tags, and a tag into words.
///
/// White space as Hugging Face sets Jinja: the newline after a block tag goes (`trim_blocks`), as does the indentation
/// before one (`lstrip_blocks`); `-` at a tag's edge takes all white space on that side.
struct TemplateLexer {
  enum Piece: Equatable {
    case text(String)
    case output([Word])
    case block([Word])
  }

  enum Word: Equatable {
    case name(String)
    case string(String)
    case integer(Int)
    case symbol(String)
  }

  private let source: [Unicode.Scalar]
  private var position = 0

  init(_ source: String) { self.source = Array(source.unicodeScalars) }

  /// All pieces of the template.
  mutating func pieces() throws(TemplateError) -> [Piece] {
    var pieces: [Piece] = []
    var text = String.UnicodeScalarView()
    var trimsNext = false
    var dropsNewline = false
    while position < source.count {
      guard source[position] == "{", let kind = peek(1), kind == "{" || kind == "%" || kind == "#" else {
        let scalar = source[position]
        position += 1
        if dropsNewline, scalar == "\n" {
          dropsNewline = false
          continue
        }
        dropsNewline = false
        if trimsNext, scalar.properties.isWhitespace { continue }
        trimsNext = false
        text.append(scalar)
        continue
      }
      position += 2
      if peek(0) == "-" {
        position += 1
        while let last = text.last, last.properties.isWhitespace { text.removeLast() }
      } else if kind != "{" {
        Self.stripIndentation(&text)
      }
      if !text.isEmpty { pieces.append(.text(String(text))) }
      text = String.UnicodeScalarView()
      let (words, trims) = try tag(closing: kind == "{" ? "}" : kind)
      if kind == "{" { pieces.append(.output(words)) }
      if kind == "%" { pieces.append(.block(words)) }
      trimsNext = trims
      dropsNewline = kind != "{"
    }
    if !text.isEmpty { pieces.append(.text(String(text))) }
    return pieces
  }

  private static func stripIndentation(_ text: inout String.UnicodeScalarView) {
    var kept = text
    while let last = kept.last, last == " " || last == "\t" { kept.removeLast() }
    if kept.isEmpty || kept.last == "\n" { text = kept }
  }

  private func peek(_ ahead: Int) -> Unicode.Scalar? {
    position + ahead < source.count ? source[position + ahead] : nil
  }

  /// The words up to the closing mark, and whether it carries a `-`.
  private mutating func tag(closing: Unicode.Scalar) throws(TemplateError) -> ([Word], Bool) {
    var words: [Word] = []
    while let scalar = peek(0) {
      if scalar == "-", peek(1) == closing, peek(2) == "}" {
        position += 3
        return (words, true)
      }
      if scalar == closing, peek(1) == "}" {
        position += 2
        return (words, false)
      }
      if closing == "#" || scalar.properties.isWhitespace {
        position += 1
      } else {
        words.append(try word(scalar))
      }
    }
    throw TemplateError(reason: "a tag is not closed")
  }

  private mutating func word(_ first: Unicode.Scalar) throws(TemplateError) -> Word {
    if first == "'" || first == "\"" { return .string(try string(first)) }
    if first.properties.isAlphabetic || first == "_" {
      return .name(run { $0.properties.isAlphabetic || $0 == "_" || ("0"..."9").contains($0) })
    }
    if ("0"..."9").contains(first) {
      guard let number = Int(run { ("0"..."9").contains($0) }) else {
        throw TemplateError(reason: "a number is too long")
      }
      return .integer(number)
    }
    position += 1
    if let next = peek(0), first == "=" && next == "=" || first == "!" && next == "=" {
      position += 1
      return .symbol("\(first)=")
    }
    guard "=+-.[]()|,:%~".unicodeScalars.contains(first) else {
      throw TemplateError(reason: "it uses \"\(first)\"")
    }
    return .symbol(String(first))
  }

  private mutating func run(_ belongs: (Unicode.Scalar) -> Bool) -> String {
    var text = String.UnicodeScalarView()
    while let scalar = peek(0), belongs(scalar) {
      text.append(scalar)
      position += 1
    }
    return String(text)
  }

  private mutating func string(_ quote: Unicode.Scalar) throws(TemplateError) -> String {
    var text = String.UnicodeScalarView()
    position += 1
    while let scalar = peek(0) {
      position += 1
      if scalar == quote { return String(text) }
      guard scalar == "\\", let escaped = peek(0) else {
        text.append(scalar)
        continue
      }
      position += 1
      switch escaped {
      case "n": text.append("\n")
      case "t": text.append("\t")
      case "r": text.append("\r")
      case "\\", "'", "\"": text.append(escaped)
      default: throw TemplateError(reason: "it uses the escape \\\(escaped)")
      }
    }
    throw TemplateError(reason: "a string is not closed")
  }
}

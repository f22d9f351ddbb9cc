/// The rules that forms of JSON are made of.
///
/// White space may stand after `{`, `[`, `,` and `:` and before `}` and `]`: nothing, a space, or a line's end with at
/// most 24 spaces, so that no answer idles in it.
package struct JSONForms {
  /// All rules so far; a form is one of them.
  package private(set) var rules: [Form] = []
  private(set) var space = Form.nothing
  /// One character of a text, as it is or escaped; no half of a surrogate pair.
  private(set) var character = Form.nothing
  private(set) var string = Form.nothing
  private(set) var number = Form.nothing
  private(set) var integer = Form.nothing
  /// Any value.
  private(set) var value = Form.nothing
  private(set) var object = Form.nothing
  private(set) var list = Form.nothing

  package init() {
    let spaces = Form.repeated(.text(" "), least: 0, most: 24)
    space = add(.choice([.nothing, .text(" "), .sequence([.text("\n"), spaces])]))
    character = add(Self.characterForm)
    string = add(.sequence([.text("\""), .repeated(Self.characterForm, least: 0, most: nil), .text("\"")]))
    integer = add(Self.integerForm)
    let digits = Form.set(ByteSet(0x30...0x39))
    number = add(
      .sequence([
        Self.integerForm, .optional(.sequence([.text("."), .repeated(digits, least: 1, most: 16)])),
        .optional(
          .sequence([
            .set(ByteSet("eE".utf8)), .optional(.set(ByteSet("+-".utf8))), .repeated(digits, least: 1, most: 2),
          ])),
      ]))
    let (any, anyObject, anyList) = (reserve(), reserve(), reserve())
    (value, object, list) = (.rule(any), .rule(anyObject), .rule(anyList))
    rules[any] = .choice([string, number, .literals(["true", "false", "null"].map { Array($0.utf8) }), object, list])
    rules[anyObject] = braces(.optional(separated(member(key: string, value), least: 1, most: nil)))
    rules[anyList] = brackets(.optional(separated(value, least: 1, most: nil)))
  }

  /// A place for a rule that is told later, so that rules can name each other.
  package mutating func reserve() -> Int {
    rules.append(.choice([]))
    return rules.count - 1
  }

  package mutating func set(_ rule: Int, to form: Form) { rules[rule] = form }

  /// Makes a rule of a form.
  package mutating func add(_ form: Form) -> Form {
    rules.append(form)
    return .rule(rules.count - 1)
  }

  func braces(_ content: Form) -> Form { .sequence([.text("{"), space, content, space, .text("}")]) }

  func brackets(_ content: Form) -> Form { .sequence([.text("["), space, content, space, .text("]")]) }

  func member(key: Form, _ value: Form) -> Form { .sequence([key, .text(":"), space, value]) }

  var comma: Form { .sequence([.text(","), space]) }

  /// At least one of a form, with commas between.
  func separated(_ form: Form, least: Int, most: Int?) -> Form {
    .sequence([
      form,
      .repeated(.sequence([comma, form]), least: max(0, least - 1), most: most.map { max(0, $0 - 1) }),
    ])
  }

  /// A JSON text exactly as it is written compactly.
  static func literal(_ value: JSONValue) -> [UInt8] {
    var bytes: [UInt8] = []
    value.write(into: &bytes)
    return bytes
  }

  /// -? and at most 16 digits without leading zeros.
  private static var integerForm: Form {
    let digits = Form.repeated(.set(ByteSet(0x30...0x39)), least: 0, most: 15)
    return .sequence([
      .optional(.text("-")), .choice([.text("0"), .sequence([.set(ByteSet(0x31...0x39)), digits])]),
    ])
  }

  private static var characterForm: Form {
    .choice([.set(plain), escape, beyondASCII])
  }

  /// ASCII that stands for itself.
  static let plain = ByteSet(0x20...0x21, 0x23...0x5b, 0x5d...0x7e)

  /// A character of more than one byte, well formed (Unicode 16, table 3-7).
  static let beyondASCII: Form = {
    func bytes(_ sets: ByteSet...) -> Form { .sequence(sets.map { .set($0) }) }
    let tail = ByteSet(0x80...0xbf)
    return .choice([
      bytes(ByteSet(0xc2...0xdf), tail), bytes(ByteSet(0xe0...0xe0), ByteSet(0xa0...0xbf), tail),
      bytes(ByteSet(0xe1...0xec, 0xee...0xef), tail, tail), bytes(ByteSet(0xed...0xed), ByteSet(0x80...0x9f), tail),
      bytes(ByteSet(0xf0...0xf0), ByteSet(0x90...0xbf), tail, tail),
      bytes(ByteSet(0xf1...0xf3), tail, tail, tail), bytes(ByteSet(0xf4...0xf4), ByteSet(0x80...0x8f), tail, tail),
    ])
  }()

  private static let escape: Form = {
    let digit = Form.set(ByteSet(0x30...0x39, 0x41...0x46, 0x61...0x66))
    let three = Form.repeated(digit, least: 3, most: 3)
    let two = Form.repeated(digit, least: 2, most: 2)
    let (d, low) = (Form.set(ByteSet("dD".utf8)), Form.set(ByteSet(0x30...0x37)))
    let pair = Form.sequence([
      d, .set(ByteSet("89abAB".utf8)), two, .text("\\u"), d, .set(ByteSet("cdefCDEF".utf8)), two,
    ])
    let unit = Form.choice([
      .sequence([.set(ByteSet("0123456789abcefABCEF".utf8)), three]), .sequence([d, low, two]), pair,
    ])
    return .sequence([
      .text("\\"), .choice([.set(ByteSet("\"\\/bfnrt".utf8)), .sequence([.text("u"), unit])]),
    ])
  }()
}

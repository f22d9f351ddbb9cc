/// Takes the calls out of an answer's text as it comes; what turns out to be none stays text.
package struct ToolCallParser: Sendable {
  /// A call that the answer asked for.
  package struct Call: Equatable, Sendable {
    package let name: String
    /// JSON text of an object.
    package let arguments: String
  }

  package enum Piece: Equatable, Sendable {
    case text(String)
    case call(Call)
  }

  /// The longest text that may be a call, and the most calls of an answer.
  private static let (mostBytes, mostCalls) = (1 << 16, 128)

  private let form: ToolCallForm
  /// Text that is not yet told apart.
  private var pending = ""
  /// White space behind a call, or before anything: told only if text follows.
  private var space = ""
  private var isInside = false
  private var hasText = false
  /// What comes is text, whatever it looks like.
  private var isPlain = false
  private(set) var calls = 0

  package init(_ form: ToolCallForm) { self.form = form }

  /// Adds text; returns what is now certain.
  package mutating func add(_ text: String) -> [Piece] {
    guard !isPlain else { return tell(text) }
    pending += text
    return form == .tagged ? tagged() : whole()
  }

  /// The rest, once no more comes.
  package mutating func finish() -> [Piece] {
    defer { pending = "" }
    if form == .tagged {
      let body = isInside ? String(pending.dropFirst(ToolCallForm.opening.count)) : ""
      if isInside, let call = Self.call(body, form) { return called([call]) }
    } else if !isPlain, let found = Self.calls(pending, form) {
      return called(found)
    }
    let rest = tell(pending)
    // An answer of white space alone has no other text.
    return !hasText && calls == 0 && !space.isEmpty ? rest + [.text(space)] : rest
  }

  /// Text up to a call; white space is kept back.
  private mutating func tell(_ text: String) -> [Piece] {
    guard !text.isEmpty else { return [] }
    let all = space + text
    let end = all.unicodeScalars.lastIndex { !$0.properties.isWhitespace }
    guard let end else {
      space = all
      return []
    }
    let after = all.unicodeScalars.index(after: end)
    space = String(all[after...])
    hasText = true
    return [.text(String(all[..<after]))]
  }

  private mutating func called(_ found: [Call]) -> [Piece] {
    calls += found.count
    space = ""
    return found.map { .call($0) }
  }

  private mutating func tagged() -> [Piece] {
    var pieces: [Piece] = []
    while true {
      let tag = isInside ? ToolCallForm.closing : ToolCallForm.opening
      if let range = pending.firstRange(of: tag) {
        if isInside {
          let body = String(pending[..<range.lowerBound].dropFirst(ToolCallForm.opening.count))
          if calls < Self.mostCalls, let call = Self.call(body, form) {
            pieces += called([call])
          } else {
            pieces += tell(String(pending[..<range.upperBound]))
          }
          pending = String(pending[range.upperBound...])
          isInside = false
        } else {
          pieces += tell(String(pending[..<range.lowerBound]))
          pending = String(pending[range.lowerBound...])
          isInside = true
        }
        continue
      }
      guard !isInside else {
        guard pending.utf8.count > Self.mostBytes else { return pieces }
        isInside = false
        isPlain = true
        pieces += tell(pending)
        pending = ""
        return pieces
      }
      // What may be the beginning of a tag waits.
      let kept =
        (1..<tag.utf8.count).reversed().first { pending.utf8.suffix($0).elementsEqual(tag.utf8.prefix($0)) } ?? 0
      let cut = pending.utf8.index(pending.endIndex, offsetBy: -kept)
      pieces += tell(String(pending[..<cut]))
      pending = String(pending[cut...])
      return pieces
    }
  }

  /// An answer that is a call as a whole, or no call at all: its first character tells.
  private mutating func whole() -> [Piece] {
    let first = pending.unicodeScalars.first { !$0.properties.isWhitespace }
    let mayBe: Bool
    switch first {
    case nil: mayBe = true
    case "{": mayBe = form == .bare
    case "[": mayBe = form == .listed
    case "<": mayBe = form == .bare && Self.mayBegin(pending, form)
    default: mayBe = false
    }
    guard !mayBe || pending.utf8.count > Self.mostBytes else { return [] }
    isPlain = true
    defer { pending = "" }
    return tell(pending)
  }

  private static func mayBegin(_ text: String, _ form: ToolCallForm) -> Bool {
    guard let marker = form.marker else { return false }
    let start = text.drop { $0.isWhitespace }
    return start.hasPrefix(marker) || marker.hasPrefix(start)
  }

  /// The calls of a whole answer; nil when it is something else.
  private static func calls(_ text: String, _ form: ToolCallForm) -> [Call]? {
    var body = text.drop { $0.isWhitespace }
    if let marker = form.marker, body.hasPrefix(marker) { body = body.dropFirst(marker.count).drop { $0.isWhitespace } }
    guard let value = try? JSONParser.parse(String(body)) else {
      // Llama separates several by semicolons.
      let parts = body.split(separator: ";").map { call(String($0), form) }
      let calls = parts.compactMap(\.self)
      return form == .bare && parts.count > 1 && calls.count == parts.count && calls.count <= mostCalls ? calls : nil
    }
    let values = value.array ?? [value]
    let calls = values.compactMap { call($0, form) }
    return !calls.isEmpty && calls.count == values.count && calls.count <= mostCalls ? calls : nil
  }

  private static func call(_ text: String, _ form: ToolCallForm) -> Call? {
    (try? JSONParser.parse(text)).flatMap { call($0, form) }
  }

  private static func call(_ value: JSONValue, _ form: ToolCallForm) -> Call? {
    guard let name = value["name"]?.string, (1...64).contains(name.utf8.count) else { return nil }
    let arguments = value[form.argumentsName] ?? value["arguments"] ?? value["parameters"] ?? .object([])
    switch arguments {
    case .object: return Call(name: name, arguments: arguments.text)
    case .string(let text):
      // Some models write the object as a text once more.
      guard (try? JSONParser.parse(text))?.object != nil else { return nil }
      return Call(name: name, arguments: text)
    default: return nil
    }
  }
}

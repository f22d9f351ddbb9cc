/// A regular expression of a schema as a form of the text between quotes.
///
/// Understood are characters, `.`, classes, `\d \w \s` and their opposites, groups, `|`, `* + ? {m,n}`, and `^` and `$`
/// at the ends; ECMA 262 for these. What else there is in regular expressions is refused by name.
struct PatternParser {
  private static let (mostNested, mostRepeats) = (32, 1000)

  /// Characters of ASCII, and whether all others belong to them.
  fileprivate struct Characters {
    var ascii = ByteSet()
    var others: Set<Unicode.Scalar> = []
    var hasOthers = false
  }

  private let scalars: [Unicode.Scalar]
  private let forms: JSONForms
  private var place = 0
  private var depth = 0

  /// The texts that contain a match of the pattern.
  static func form(_ pattern: String, _ forms: JSONForms) throws(GrammarFault) -> Form {
    var parser = PatternParser(scalars: Array(pattern.unicodeScalars), forms: forms)
    guard parser.scalars.count <= 4096 else { throw GrammarFault("has more than 4096 characters") }
    let anything = Form.repeated(forms.character, least: 0, most: nil)
    let begins = parser.take("^")
    let content = try parser.alternatives(isWhole: true)
    let ends = parser.take("$")
    guard parser.place == parser.scalars.count else { throw parser.fault("here") }
    return .sequence([begins ? .nothing : anything, content, ends ? .nothing : anything])
  }

  private func fault(_ what: String) -> GrammarFault {
    GrammarFault("is a regular expression that this engine does not hold (\(what), at character \(place + 1))")
  }

  private var next: Unicode.Scalar? { place < scalars.count ? scalars[place] : nil }

  private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
    guard next == scalar else { return false }
    place += 1
    return true
  }

  private mutating func alternatives(isWhole: Bool) throws(GrammarFault) -> Form {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.mostNested else { throw fault("groups too deep in each other") }
    var choices: [Form] = []
    repeat {
      var parts: [Form] = []
      while let scalar = next, scalar != "|", scalar != ")" {
        // At the end of the whole pattern; elsewhere it would hold for one alternative alone.
        if scalar == "$", isWhole, place == scalars.count - 1, choices.isEmpty { break }
        parts.append(try quantified())
      }
      choices.append(.sequence(parts))
    } while take("|")
    return choices.count == 1 ? choices[0] : .choice(choices)
  }

  private mutating func quantified() throws(GrammarFault) -> Form {
    let form = try atom()
    var (least, most): (Int, Int?) = (1, 1)
    switch next {
    case "*": (least, most) = (0, nil)
    case "+": (least, most) = (1, nil)
    case "?": (least, most) = (0, 1)
    case "{":
      place += 1
      (least, most) = try bounds()
      _ = take("?")
      return .repeated(form, least: least, most: most)
    default: return form
    }
    place += 1
    _ = take("?")
    if next == "*" || next == "+" || next == "?" || next == "{" { throw fault("two quantifiers") }
    return .repeated(form, least: least, most: most)
  }

  private mutating func bounds() throws(GrammarFault) -> (Int, Int?) {
    guard let least = count() else { throw fault("{") }
    var most: Int? = least
    if take(",") { most = count() }
    guard take("}"), least <= Self.mostRepeats, most ?? least >= least, most ?? 0 <= Self.mostRepeats else {
      throw fault("a repetition of more than \(Self.mostRepeats), or from more to less")
    }
    return (least, most)
  }

  private mutating func count() -> Int? {
    var digits = ""
    while let scalar = next, ("0"..."9").contains(scalar), digits.count < 6 {
      digits.unicodeScalars.append(scalar)
      place += 1
    }
    return Int(digits)
  }

  private mutating func atom() throws(GrammarFault) -> Form {
    guard let scalar = next else { throw fault("the end") }
    switch scalar {
    case "(":
      place += 1
      if take("?"), !take(":") { throw fault("(?") }
      let form = try alternatives(isWhole: false)
      guard take(")") else { throw fault("a group without an end") }
      return form
    case "[": return try form(of: characterClass())
    case "\\": return form(of: try escaped())
    case ".":
      place += 1
      var characters = Characters(ascii: ByteSet(0x00...0x7f), hasOthers: true)
      for byte in "\n\r".utf8 { characters.ascii.remove(byte) }
      return form(of: characters)
    case "*", "+", "?", "{", "}", "]", "^", "$": throw fault(String(scalar))
    default:
      place += 1
      return form(of: Self.one(scalar))
    }
  }

  private static func one(_ scalar: Unicode.Scalar) -> Characters {
    var characters = Characters()
    if scalar.isASCII { characters.ascii.insert(UInt8(scalar.value)) } else { characters.others.insert(scalar) }
    return characters
  }

  private mutating func escaped() throws(GrammarFault) -> Characters {
    place += 1
    guard let scalar = next else { throw fault("\\ at the end") }
    place += 1
    let words: [Unicode.Scalar: ByteSet] = [
      "d": ByteSet(0x30...0x39), "w": ByteSet(0x30...0x39, 0x41...0x5a, 0x5f...0x5f, 0x61...0x7a),
      "s": ByteSet(0x09...0x0d, 0x20...0x20),
    ]
    if let set = words[scalar] { return Characters(ascii: set) }
    if let set = words[Unicode.Scalar(scalar.value | 0x20) ?? scalar], ("A"..."Z").contains(scalar) {
      var characters = Characters(hasOthers: true)
      for byte in UInt8(0)..<128 where !set.contains(byte) { characters.ascii.insert(byte) }
      return characters
    }
    let controls: [Unicode.Scalar: Unicode.Scalar] = ["n": "\n", "r": "\r", "t": "\t", "f": "\u{c}", "v": "\u{b}"]
    if let control = controls[scalar] { return Self.one(control) }
    guard !("a"..."z").contains(scalar), !("A"..."Z").contains(scalar), !("0"..."9").contains(scalar) else {
      throw fault("\\\(scalar)")
    }
    return Self.one(scalar)
  }

  private mutating func characterClass() throws(GrammarFault) -> Characters {
    place += 1
    let isOpposite = take("^")
    var characters = Characters()
    while let scalar = next, scalar != "]" {
      let first = try classMember(scalar)
      guard next == "-", place + 1 < scalars.count, scalars[place + 1] != "]" else {
        for byte in UInt8(0)..<128 where first.ascii.contains(byte) { characters.ascii.insert(byte) }
        characters.others.formUnion(first.others)
        characters.hasOthers = characters.hasOthers || first.hasOthers
        continue
      }
      place += 1
      let last = try classMember(scalars[place])
      guard let low = first.only, let high = last.only, low <= high, high.isASCII else {
        throw fault("a range of characters beyond ASCII, or from later to earlier")
      }
      for value in low.value...high.value { characters.ascii.insert(UInt8(value)) }
    }
    guard take("]") else { throw fault("a class without an end") }
    guard isOpposite else { return characters }
    guard characters.others.isEmpty else { throw fault("the opposite of characters beyond ASCII") }
    var opposite = Characters(hasOthers: !characters.hasOthers)
    for byte in UInt8(0)..<128 where !characters.ascii.contains(byte) { opposite.ascii.insert(byte) }
    return opposite
  }

  private mutating func classMember(_ scalar: Unicode.Scalar) throws(GrammarFault) -> Characters {
    if scalar == "\\" { return try escaped() }
    place += 1
    return Self.one(scalar)
  }

  /// Characters as JSON has them between quotes.
  private func form(of characters: Characters) -> Form {
    var plain = ByteSet()
    var choices: [Form] = []
    let short: [UInt8: String] = [
      0x22: "\\\"", 0x5c: "\\\\", 0x08: "\\b", 0x09: "\\t", 0x0a: "\\n", 0x0c: "\\f", 0x0d: "\\r",
    ]
    var escapes: [[UInt8]] = []
    for byte in UInt8(0)..<128 where characters.ascii.contains(byte) {
      if JSONForms.plain.contains(byte) || byte == 0x7f {
        plain.insert(byte)
      } else {
        escapes.append(Array((short[byte] ?? "\\u00" + (byte < 16 ? "0" : "") + String(byte, radix: 16)).utf8))
      }
    }
    if !plain.isEmpty { choices.append(.set(plain)) }
    if !escapes.isEmpty { choices.append(.literals(escapes)) }
    if characters.hasOthers {
      choices.append(JSONForms.beyondASCII)
    } else if !characters.others.isEmpty {
      choices.append(.literals(characters.others.map { Array(String($0).utf8) }))
    }
    return choices.count == 1 ? choices[0] : .choice(choices)
  }
}

extension PatternParser.Characters {
  /// The character, when it is one.
  fileprivate var only: Unicode.Scalar? {
    if others.count == 1 { return others.first }
    let bytes = (UInt8(0)..<128).filter(ascii.contains)
    return bytes.count == 1 && !hasOthers ? Unicode.Scalar(bytes[0]) : nil
  }
}

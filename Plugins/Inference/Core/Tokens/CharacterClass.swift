/// What the rules that cut words distinguish, from a table of Unicode that never changes with the toolchain.
enum CharacterClass: UInt8, Sendable {
  case other, letter, number, space, punctuation

  init(_ scalar: Unicode.Scalar) {
    let index = Int(scalar.value)
    self = index < Self.classes.count ? Self.classes[index] : .other
  }

  /// The class of every character up to the last that is none of the others.
  private static let classes: [CharacterClass] = {
    var classes: [CharacterClass] = []
    // Each word is a length, and a class in its last three bits.
    for run in runs {
      let kind = CharacterClass(rawValue: UInt8(run & 7)) ?? .other
      classes.append(contentsOf: repeatElement(kind, count: Int(run >> 3)))
    }
    return classes
  }()
}

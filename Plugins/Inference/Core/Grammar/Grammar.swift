/// A form and its rules, as a program that reads bytes: one position for each byte that may come next.
///
/// Every position leads to the end of some string of the form, so what has been read is always the beginning of one.
package struct Grammar: Sendable {
  /// A step of the program.
  enum Step: Sendable {
    case read(ByteSet, next: Int32)
    case either([Int32])
    case call(rule: Int, next: Int32)
    /// The end of a rule.
    case end
  }

  /// The most steps of a program.
  package static let mostSteps = 200_000

  private(set) var steps: [Step] = []
  /// Where each rule begins; -1 for one that no string fits.
  private(set) var entries: [Int32]
  let start: Int

  /// Compiles rules, of which `start` is the form.
  ///
  /// - Throws: a sentence without a subject, when nothing fits the form or it is too large.
  package init(rules: [Form], start: Int) throws(GrammarFault) {
    let fits = Self.productive(rules)
    guard fits[start] else { throw GrammarFault("describes nothing that could be written") }
    self.start = start
    entries = [Int32](repeating: -1, count: rules.count)
    for (index, form) in rules.enumerated() where fits[index] {
      let end = try add(.end)
      entries[index] = try emit(form, end, fits)
    }
  }

  /// Whether bytes are the beginning of a string of the form, and whether they are one.
  package func reads(_ bytes: some Sequence<UInt8>) throws(GrammarFault) -> (begins: Bool, isWhole: Bool) {
    let automaton = GrammarAutomaton(self)
    let state = try automaton.next(try automaton.start(), bytes)
    return (state != GrammarAutomaton.dead, automaton.isComplete(state))
  }

  func entry(of rule: Int) -> Int32 { entries[rule] }

  /// Whether a step ends its rule, so that a call before it need not come back.
  func isEnd(_ place: Int32) -> Bool { if case .end = steps[Int(place)] { true } else { false } }

  private mutating func add(_ step: Step) throws(GrammarFault) -> Int32 {
    guard steps.count < Self.mostSteps else {
      throw GrammarFault("is too large: make it smaller, with fewer or shorter repetitions")
    }
    steps.append(step)
    return Int32(steps.count - 1)
  }

  /// Emits a form before `next`; returns where it begins.
  private mutating func emit(_ form: Form, _ next: Int32, _ fits: [Bool]) throws(GrammarFault) -> Int32 {
    var place = next
    switch form {
    case .bytes(let bytes):
      for byte in bytes.reversed() { place = try add(.read(ByteSet(byte...byte), next: place)) }
    case .set(let set): place = try add(.read(set, next: next))
    case .sequence(let forms): for form in forms.reversed() { place = try emit(form, place, fits) }
    case .choice(let forms):
      var places: [Int32] = []
      for form in forms where Self.isProductive(form, fits) { places.append(try emit(form, next, fits)) }
      if let only = places.first, places.count == 1 { return only }
      place = try add(.either(places))
    case .repeated(let form, let least, let most):
      let mayCome = Self.isProductive(form, fits)
      if mayCome, let most {
        for _ in least..<max(least, most) { place = try add(.either([try emit(form, place, fits), next])) }
      } else if mayCome {
        place = try add(.either([]))
        steps[Int(place)] = .either([try emit(form, place, fits), next])
      }
      for _ in 0..<least { place = try emit(form, place, fits) }
    case .rule(let rule): place = try add(.call(rule: rule, next: next))
    }
    return place
  }

  /// Which rules some string fits: found by adding those that must, until none is added.
  private static func productive(_ rules: [Form]) -> [Bool] {
    var fits = [Bool](repeating: false, count: rules.count)
    var changed = true
    while changed {
      changed = false
      for (index, form) in rules.enumerated() where !fits[index] && isProductive(form, fits) {
        fits[index] = true
        changed = true
      }
    }
    return fits
  }

  private static func isProductive(_ form: Form, _ fits: [Bool]) -> Bool {
    switch form {
    case .bytes: true
    case .set(let set): !set.isEmpty
    case .sequence(let forms): forms.allSatisfy { isProductive($0, fits) }
    case .choice(let forms): forms.contains { isProductive($0, fits) }
    case .repeated(let form, let least, _): least == 0 || isProductive(form, fits)
    case .rule(let rule): fits[rule]
    }
  }
}

/// Why a form cannot be held: a sentence without its subject, and the place in the schema.
package struct GrammarFault: Error, Equatable {
  package let reason: String
  /// For example `.properties.age`; empty for the whole.
  package var path = ""

  package init(_ reason: String, path: String = "") { (self.reason, self.path) = (reason, path) }
}

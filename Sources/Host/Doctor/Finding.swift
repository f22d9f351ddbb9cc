/// What the doctor found in one place.
package struct Finding: Equatable, Sendable {
  package enum Verdict: String, Sendable {
    /// As it should be.
    case ok
    /// A node runs, with less than it could have.
    case warn
    /// A node does not start, or loses something.
    case fail
  }

  package var name: String
  package var verdict: Verdict
  package var what: String
  /// What to do about it; empty when all is well.
  package var remedy: String

  package init(_ name: String, _ verdict: Verdict, _ what: String, remedy: String = "") {
    (self.name, self.verdict, self.what, self.remedy) = (name, verdict, what, remedy)
  }

  package var json: JSONValue {
    .object([
      "name": .string(name), "verdict": .string(verdict.rawValue), "what": .string(what), "remedy": .string(remedy),
    ])
  }

  /// For people: the verdict, the place, what was found, and what to do on a line of its own.
  package var text: String {
    func padded(_ text: String, _ width: Int) -> String {
      text + String(repeating: " ", count: max(1, width - text.count))
    }
    let first = padded(verdict.rawValue, 6) + padded(name, 13) + what
    return Terminal.wrapped(first, indent: 19)
      + (remedy.isEmpty ? "" : "\n" + Terminal.wrapped(String(repeating: " ", count: 19) + "→ " + remedy, indent: 21))
  }
}

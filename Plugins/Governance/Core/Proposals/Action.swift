import Canonical

/// A method call that a proposal carries and its execution makes.
package struct Action: Equatable, Sendable {
  /// As in `application.set_price`.
  package let method: String
  /// A JSON object in `StrictJSON`'s one written form.
  package let arguments: String

  static let argumentsLimit = 8192

  /// A call by full method name with an object of arguments.
  package init(method: String, arguments: StrictJSON) throws(GovernanceError) {
    guard Self.isMethod(method) else {
      throw GovernanceError(
        .invalidArgument, "invalid_action",
        "An action's `method` is a layer's method like `application.set_price`; `\(method.prefix(80))` is not."
      )
    }
    guard arguments.object != nil, arguments.text.utf8.count <= Self.argumentsLimit else {
      throw GovernanceError(
        .invalidArgument, "invalid_action",
        "The `arguments` of \(method) are one JSON object of at most \(Self.argumentsLimit) bytes.")
    }
    guard !Self.own.contains(method) else {
      throw GovernanceError(
        .invalidArgument, "invalid_action", "\(method) is for people with badges; a proposal cannot do it.")
    }
    self.method = method
    self.arguments = arguments.text
  }

  private static let own: Set<String> = ["governance.propose", "governance.vote", "governance.execute"]

  /// Reads the `actions` argument: a list of 1 to 16 objects `{"method": …, "arguments": {…}}`.
  package static func list(json: String) throws(GovernanceError) -> [Action] {
    let shape = #"`actions` is a list of 1 to 16 objects like {"method":"application.set_price","arguments":{…}}"#
    let parsed: StrictJSON
    do {
      parsed = try StrictJSON(json, limit: 16 * 1024)
    } catch {
      throw GovernanceError(.invalidArgument, "invalid_actions", "\(shape). \(error)")
    }
    guard let elements = parsed.array, (1...16).contains(elements.count) else {
      throw GovernanceError(.invalidArgument, "invalid_actions", "\(shape).")
    }
    var actions: [Action] = []
    for (index, element) in elements.enumerated() {
      guard let members = element.object, let method = members["method"]?.string else {
        throw GovernanceError(
          .invalidArgument, "invalid_actions", "\(shape); number \(index + 1) has no text `method`.")
      }
      if let stranger = members.keys.filter({ $0 != "method" && $0 != "arguments" }).sorted().first {
        throw GovernanceError(
          .invalidArgument, "invalid_actions", "\(shape); number \(index + 1) has an unknown key `\(stranger)`.")
      }
      actions.append(try Action(method: method, arguments: members["arguments"] ?? .object([:])))
    }
    return actions
  }

  private static func isMethod(_ text: String) -> Bool {
    guard text.utf8.count <= 113, let dot = text.lastIndex(of: ".") else { return false }
    let letters = UInt8(ascii: "a")...UInt8(ascii: "z")
    let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
    func isName(_ name: Substring, also: String) -> Bool {
      guard let first = name.utf8.first, letters.contains(first) else { return false }
      return name.utf8.allSatisfy { letters.contains($0) || digits.contains($0) || also.utf8.contains($0) }
    }
    return isName(text[..<dot], also: "_.-") && isName(text[text.index(after: dot)...], also: "_")
  }
}

extension Action {
  init(from reader: inout CanonicalReader) throws {
    method = try reader.name(limit: 113)
    arguments = try reader.text(limit: Self.argumentsLimit)
  }

  func write(to writer: inout CanonicalWriter) {
    writer.name(method)
    writer.text(arguments)
  }
}

/// Makes the calls that proposals carry.
package protocol ActionHost {
  /// Refuses a call that could not run here: an unknown method, one that is no transition, arguments that do not fit.
  func check(_ action: Action) throws
  /// Runs the call in the running transaction, for nobody's account; what it throws undoes the whole transaction.
  func run(_ action: Action) throws
}

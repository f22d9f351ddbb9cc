/// The model's own chat template: the part of Jinja such templates use, with bounded work.
package struct ChatTemplate: Sendable {
  private let statements: [TemplateStatement]
  private let begin: String
  private let end: String

  /// What one rendering may cost.
  private static let mostSteps = 200_000
  private static let mostBytes = 16 << 20

  /// Reads a template; `begin` and `end` are the texts of `bos_token` and `eos_token`.
  package init(_ source: String, begin: String, end: String) throws(TemplateError) {
    statements = try TemplateParser.parse(source)
    self.begin = begin
    self.end = end
  }

  /// The prompt of a conversation.
  ///
  /// Only what the template itself wrote is marked as authored.
  package func render(
    _ messages: [ChatMessage], addGenerationPrompt: Bool = true
  ) throws(TemplateError) -> MarkedText {
    let list = messages.map { message in
      TemplateValue.map([
        "role": .text(MarkedText(message.role, authored: false)),
        "content": .text(MarkedText(message.content, authored: false)),
      ])
    }
    var rendering = Rendering(names: [
      "messages": .list(list), "add_generation_prompt": .bool(addGenerationPrompt),
      "bos_token": .text(MarkedText(begin, authored: true)), "eos_token": .text(MarkedText(end, authored: true)),
    ])
    try rendering.run(statements)
    return rendering.output
  }

  /// One run of a template.
  private struct Rendering {
    var names: [String: TemplateValue]
    var output = MarkedText()
    var steps = 0

    mutating func run(_ statements: [TemplateStatement]) throws(TemplateError) {
      for statement in statements {
        steps += 1
        if steps > mostSteps { throw TemplateError(reason: "it runs too long") }
        switch statement {
        case .text(let text): try write(text)
        case .output(let expression): try write(Self.text(of: try value(expression)))
        case .set(let name, let expression): names[name] = try value(expression)
        case .loop(let name, let expression, let body): try loop(name, try value(expression), body)
        case .choice(let branches):
          for (condition, body) in branches {
            if let condition, try !value(condition).isTrue { continue }
            try run(body)
            break
          }
        }
      }
    }

    private mutating func write(_ text: MarkedText) throws(TemplateError) {
      output.append(text)
      if output.bytes.count > mostBytes { throw TemplateError(reason: "the conversation is too long") }
    }

    private mutating func loop(
      _ name: String, _ sequence: TemplateValue, _ body: [TemplateStatement]
    ) throws(TemplateError) {
      guard case .list(let items) = sequence else {
        throw TemplateError(reason: "it loops over something that is no list")
      }
      // As in Jinja, what a loop's body sets is gone after each round.
      let outer = names
      for (index, item) in items.enumerated() {
        names = outer
        names[name] = item
        names["loop"] = .map([
          "first": .bool(index == 0), "last": .bool(index == items.count - 1), "index": .integer(index + 1),
          "index0": .integer(index), "length": .integer(items.count),
        ])
        try run(body)
      }
      names = outer
    }

    private mutating func value(_ expression: TemplateExpression) throws(TemplateError) -> TemplateValue {
      steps += 1
      switch expression {
      case .literal(let value): return value
      case .name(let name): return names[name] ?? .undefined
      case .member(let whole, let key): return try Self.member(try value(whole), try value(key))
      case .slice(let list, let from, let to):
        guard case .list(let items) = try value(list) else { throw TemplateError(reason: "it slices what is no list") }
        let first = try bound(from, items.count, otherwise: 0)
        let last = try bound(to, items.count, otherwise: items.count)
        return .list(first < last ? Array(items[first..<last]) : [])
      case .trim(let inner): return .text(try Self.text(of: try value(inner)).trimmed())
      case .length(let inner):
        switch try value(inner) {
        case .list(let items): return .integer(items.count)
        case .text(let text): return .integer(text.string.unicodeScalars.count)
        default: throw TemplateError(reason: "it asks for the length of what has none")
        }
      case .not(let inner): return .bool(try !value(inner).isTrue)
      case .isDefined(let inner): return .bool(try value(inner) != .undefined)
      case .raise(let reason): throw TemplateError(reason: try Self.text(of: try value(reason)).string)
      case .binary(let op, let left, let right): return try binary(op, left, right)
      }
    }

    /// A bound of a slice, as Python counts them.
    private mutating func bound(
      _ expression: TemplateExpression?, _ count: Int, otherwise: Int
    ) throws(TemplateError) -> Int {
      guard let expression else { return otherwise }
      guard case .integer(let index) = try value(expression) else {
        throw TemplateError(reason: "a slice needs numbers")
      }
      return min(max(index < 0 ? count + index : index, 0), count)
    }

    private mutating func binary(
      _ op: TemplateExpression.Operator, _ left: TemplateExpression, _ right: TemplateExpression
    ) throws(TemplateError) -> TemplateValue {
      let a = try value(left)
      switch op {
      case .or: return a.isTrue ? a : try value(right)
      case .and: return a.isTrue ? try value(right) : a
      case .equal: return .bool(Self.equal(a, try value(right)))
      case .notEqual: return .bool(!Self.equal(a, try value(right)))
      case .contains:
        switch (a, try value(right)) {
        case (.text(let part), .text(let whole)): return .bool(part.isEmpty || whole.string.contains(part.string))
        case (.text(let key), .map(let map)): return .bool(map[key.string] != nil)
        case (let item, .list(let items)): return .bool(items.contains { Self.equal($0, item) })
        default: throw TemplateError(reason: "it searches in what is no text, list or map")
        }
      case .add:
        switch (a, try value(right)) {
        case (.text(let x), .text(let y)):
          if x.bytes.count + y.bytes.count > mostBytes { throw TemplateError(reason: "the conversation is too long") }
          return .text(x + y)
        case (.integer(let x), .integer(let y)): return .integer(x &+ y)
        case (.list(let x), .list(let y)): return .list(x + y)
        default: throw TemplateError(reason: "it adds values that do not add")
        }
      case .remainder:
        guard case .integer(let x) = a, case .integer(let y) = try value(right), y > 0 else {
          throw TemplateError(reason: "it divides what does not divide")
        }
        return .integer((x % y + y) % y)
      }
    }

    private static func equal(_ a: TemplateValue, _ b: TemplateValue) -> Bool {
      switch (a, b) {
      case (.text(let x), .text(let y)): x.bytes == y.bytes
      default: a == b
      }
    }

    private static func member(_ whole: TemplateValue, _ key: TemplateValue) throws(TemplateError) -> TemplateValue {
      switch (whole, key) {
      case (.map(let map), .text(let name)): return map[name.string] ?? .undefined
      case (.list(let items), .integer(let index)):
        let place = index < 0 ? items.count + index : index
        return items.indices.contains(place) ? items[place] : .undefined
      default: throw TemplateError(reason: "it asks for a member of what has none")
      }
    }

    private static func text(of value: TemplateValue) throws(TemplateError) -> MarkedText {
      switch value {
      case .text(let text): return text
      case .integer(let number): return MarkedText(String(number), authored: true)
      case .bool(let flag): return MarkedText(flag ? "True" : "False", authored: true)
      case .none: return MarkedText("None", authored: true)
      case .undefined: return MarkedText()
      case .list, .map: throw TemplateError(reason: "it prints a list or a map")
      }
    }
  }
}

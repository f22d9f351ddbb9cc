/// An expression of a chat template.
indirect enum TemplateExpression: Sendable {
  case literal(TemplateValue)
  case name(String)
  case member(TemplateExpression, TemplateExpression)
  case slice(TemplateExpression, from: TemplateExpression?, to: TemplateExpression?)
  case trim(TemplateExpression)
  case length(TemplateExpression)
  case not(TemplateExpression)
  case isDefined(TemplateExpression)
  case raise(TemplateExpression)
  case binary(Operator, TemplateExpression, TemplateExpression)

  enum Operator: Sendable { case or, and, equal, notEqual, contains, add, remainder }
}

/// A statement of a chat template.
indirect enum TemplateStatement: Sendable {
  case text(MarkedText)
  case output(TemplateExpression)
  case set(String, TemplateExpression)
  case loop(String, TemplateExpression, [TemplateStatement])
  case choice([(condition: TemplateExpression?, body: [TemplateStatement])])
}

/// A value in a chat template.
package enum TemplateValue: Equatable, Sendable {
  case none
  case undefined
  case bool(Bool)
  case integer(Int)
  case text(MarkedText)
  case list([TemplateValue])
  case map([String: TemplateValue])

  /// Python's truth.
  var isTrue: Bool {
    switch self {
    case .none, .undefined: false
    case .bool(let value): value
    case .integer(let value): value != 0
    case .text(let text): !text.isEmpty
    case .list(let list): !list.isEmpty
    case .map(let map): !map.isEmpty
    }
  }
}

/// A template that cannot be read or rendered: the reason, for a sentence.
package struct TemplateError: Error, Equatable {
  package let reason: String
}

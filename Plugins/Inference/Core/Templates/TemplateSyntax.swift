/// An expression of a chat template.
indirect enum TemplateExpression: Sendable {
  case literal(TemplateValue)
  case name(String)
  case list([TemplateExpression])
  case map([(key: TemplateExpression, value: TemplateExpression)])
  case member(TemplateExpression, TemplateExpression)
  case slice(TemplateExpression, from: TemplateExpression?, to: TemplateExpression?, step: TemplateExpression?)
  case call(TemplateExpression, TemplateArguments)
  case filter(String, TemplateExpression, TemplateArguments)
  case test(String, TemplateExpression, TemplateArguments, isNegated: Bool)
  case not(TemplateExpression)
  case negative(TemplateExpression)
  case binary(Operator, TemplateExpression, TemplateExpression)
  /// a < b <= c …
  case comparison(TemplateExpression, [(op: Comparison, TemplateExpression)])
  case ternary(condition: TemplateExpression, TemplateExpression, TemplateExpression?)

  enum Operator: Sendable { case or, and, add, subtract, multiply, divide, floorDivide, remainder, power, concatenate }

  enum Comparison: Sendable { case equal, notEqual, less, lessOrEqual, greater, greaterOrEqual, isIn, isNotIn }
}

/// What is given to a call, a filter or a test.
struct TemplateArguments: Sendable {
  var places: [TemplateExpression] = []
  var names: [(name: String, value: TemplateExpression)] = []
}

/// A statement of a chat template.
indirect enum TemplateStatement: Sendable {
  case text(MarkedText)
  case output(TemplateExpression)
  /// Several names take a list apart; `a.b` sets a namespace's member.
  case set([String], TemplateExpression)
  case setMember(String, String, TemplateExpression)
  case setBlock(String, [TemplateStatement])
  case loop(TemplateLoop)
  case choice([(condition: TemplateExpression?, body: [TemplateStatement])])
  case macro(TemplateMacro)
  case leave
  case next
}

struct TemplateLoop: Sendable {
  var names: [String]
  var sequence: TemplateExpression
  var condition: TemplateExpression?
  var body: [TemplateStatement]
  var otherwise: [TemplateStatement]
}

struct TemplateMacro: Sendable {
  var name: String
  var parameters: [(name: String, value: TemplateExpression?)]
  var body: [TemplateStatement]
}

/// A template that cannot be read or rendered: the reason, for a sentence.
package struct TemplateError: Error, Equatable {
  package let reason: String

  package init(reason: String) { self.reason = reason }
}

/// One run of a template, with bounded work.
struct TemplateRendering {
  /// What one rendering may cost.
  private static let (mostSteps, mostBytes, mostNested) = (400_000, 16 << 20, 64)

  /// How a list of statements ended.
  private enum Flow { case on, next, leave }

  /// Names by scope, the outermost first.
  private var scopes: [[String: TemplateValue]]
  private var namespaces: [TemplateMap] = []
  private var macros: [TemplateMacro] = []
  private(set) var output = MarkedText()
  private var steps = 0
  private var depth = 0

  init(names: [String: TemplateValue]) { scopes = [names] }

  mutating func run(_ statements: [TemplateStatement]) throws(TemplateError) { _ = try flow(statements) }

  private static func fault(_ reason: String) -> TemplateError { TemplateError(reason: reason) }

  private mutating func step() throws(TemplateError) {
    steps += 1
    if steps > Self.mostSteps { throw Self.fault("it runs too long") }
  }

  private mutating func write(_ text: MarkedText) throws(TemplateError) {
    output.append(text)
    if output.bytes.count > Self.mostBytes { throw Self.fault("the conversation is too long") }
  }

  private mutating func assign(_ name: String, _ value: TemplateValue) { scopes[scopes.count - 1][name] = value }

  private mutating func flow(_ statements: [TemplateStatement]) throws(TemplateError) -> Flow {
    for statement in statements {
      try step()
      switch statement {
      case .text(let text): try write(text)
      case .output(let expression): try write(TemplateText.of(try value(expression)))
      case .set(let names, let expression): try take(names, apart: try value(expression))
      case .setMember(let name, let member, let expression):
        guard case .namespace(let number)? = lookUp(name) else {
          throw Self.fault("it sets a member of what is no namespace")
        }
        namespaces[number].set(MarkedText(member, authored: true), to: try value(expression))
      case .setBlock(let name, let body):
        assign(name, .text(try captured { (rendering) throws(TemplateError) in try rendering.run(body) }))
      case .macro(let macro):
        macros.append(macro)
        assign(macro.name, .macro(macros.count - 1))
      case .leave: return .leave
      case .next: return .next
      case .loop(let loop): try run(loop)
      case .choice(let branches):
        for (condition, body) in branches {
          if let condition, try !value(condition).isTrue { continue }
          let flow = try flow(body)
          if flow != .on { return flow }
          break
        }
      }
    }
    return .on
  }

  /// What some statements write.
  private mutating func captured(
    _ body: (inout TemplateRendering) throws(TemplateError) -> Void
  ) throws(TemplateError) -> MarkedText {
    let outer = output
    output = MarkedText()
    defer { output = outer }
    try body(&self)
    return output
  }

  private mutating func take(_ names: [String], apart value: TemplateValue) throws(TemplateError) {
    guard names.count > 1 else { return assign(names[0], value) }
    guard case .list(let items) = value, items.count == names.count else {
      throw Self.fault("it takes apart what has another number of parts")
    }
    for (name, item) in zip(names, items) { assign(name, item) }
  }

  private mutating func run(_ loop: TemplateLoop) throws(TemplateError) {
    var items = try TemplateFilters.items(of: try value(loop.sequence))
    // As in Jinja, what a loop's body sets is gone after each round.
    scopes.append([:])
    defer { scopes.removeLast() }
    let innermost = scopes.count - 1
    if let condition = loop.condition {
      var kept: [TemplateValue] = []
      for item in items {
        try take(loop.names, apart: item)
        if try value(condition).isTrue { kept.append(item) }
        scopes[innermost] = [:]
      }
      items = kept
    }
    if items.isEmpty { _ = try flow(loop.otherwise) }
    for (index, item) in items.enumerated() {
      scopes[innermost] = [:]
      try take(loop.names, apart: item)
      scopes[innermost]["loop"] = .map(
        TemplateMap([
          "index": .integer(index + 1), "index0": .integer(index), "first": .bool(index == 0),
          "last": .bool(index == items.count - 1), "length": .integer(items.count),
          "revindex": .integer(items.count - index), "revindex0": .integer(items.count - index - 1),
          "previtem": index > 0 ? items[index - 1] : .undefined,
          "nextitem": index + 1 < items.count ? items[index + 1] : .undefined,
        ]))
      if try flow(loop.body) == .leave { break }
    }
  }

  private func lookUp(_ name: String) -> TemplateValue? {
    for scope in scopes.reversed() { if let value = scope[name] { return value } }
    return nil
  }
}

// MARK: - Expressions

extension TemplateRendering {
  private mutating func value(_ expression: TemplateExpression) throws(TemplateError) -> TemplateValue {
    try step()
    switch expression {
    case .literal(let value): return value
    case .name(let name): return lookUp(name) ?? .undefined
    case .list(let items): return .list(try values(items))
    case .map(let pairs):
      var map = TemplateMap()
      for (key, item) in pairs { map.set(TemplateText.of(try value(key)), to: try value(item)) }
      return .map(map)
    case .member(let whole, let key): return try member(try value(whole), try value(key))
    case .slice(let whole, let from, let to, let step):
      return try slice(try value(whole), try whole3(from), try whole3(to), try whole3(step))
    case .call(let function, let arguments): return try call(function, arguments)
    case .filter(let name, let inner, let arguments): return try filter(name, try value(inner), arguments)
    case .test(let name, let inner, let arguments, let isNegated):
      return .bool(try TemplateFilters.test(name, try value(inner), try values(arguments.places)) != isNegated)
    case .not(let inner): return .bool(try !value(inner).isTrue)
    case .negative(let inner): return try TemplateOperators.arithmetic(.subtract, .integer(0), try value(inner))
    case .binary(.or, let left, let right):
      let left = try value(left)
      return left.isTrue ? left : try value(right)
    case .binary(.and, let left, let right):
      let left = try value(left)
      return left.isTrue ? try value(right) : left
    case .binary(let op, let left, let right):
      return try bounded(try TemplateOperators.arithmetic(op, try value(left), try value(right)))
    case .comparison(let first, let parts):
      var left = try value(first)
      for (op, right) in parts {
        let right = try value(right)
        guard try TemplateOperators.compare(op, left, right) else { return .bool(false) }
        left = right
      }
      return .bool(true)
    case .ternary(let condition, let yes, let no):
      if try value(condition).isTrue { return try value(yes) }
      return try no.map { (no) throws(TemplateError) in try value(no) } ?? .undefined
    }
  }

  /// A text that did not grow beyond what may be written; long texts and lists cost steps.
  private mutating func bounded(_ value: TemplateValue) throws(TemplateError) -> TemplateValue {
    switch value {
    case .text(let text):
      if text.bytes.count > Self.mostBytes { throw Self.fault("the conversation is too long") }
      steps += text.bytes.count / 1024
    case .list(let items): steps += items.count / 16
    default: break
    }
    return value
  }

  private mutating func values(_ expressions: [TemplateExpression]) throws(TemplateError) -> [TemplateValue] {
    var values: [TemplateValue] = []
    for expression in expressions { values.append(try value(expression)) }
    return values
  }

  private mutating func whole3(_ expression: TemplateExpression?) throws(TemplateError) -> Int? {
    guard let expression else { return nil }
    let value = try value(expression)
    if case .none = value { return nil }
    guard let whole = value.whole else { throw Self.fault("a slice needs numbers") }
    return whole
  }

  private func member(_ whole: TemplateValue, _ key: TemplateValue) throws(TemplateError) -> TemplateValue {
    switch (whole, key) {
    case (.map(let map), .text(let name)): return map[name.string] ?? .undefined
    case (.namespace(let number), .text(let name)): return namespaces[number][name.string] ?? .undefined
    case (.list(let items), _):
      guard let index = key.whole else { return .undefined }
      let place = index < 0 ? items.count + index : index
      return items.indices.contains(place) ? items[place] : .undefined
    case (.text(let text), _):
      guard let index = key.whole else { return .undefined }
      let characters = text.characters
      let place = index < 0 ? characters.count + index : index
      return characters.indices.contains(place) ? .text(characters[place]) : .undefined
    case (.undefined, _): throw Self.fault("it asks for a member of what is not defined")
    default: return .undefined
    }
  }

  /// Python's slices.
  private func slice(_ whole: TemplateValue, _ from: Int?, _ to: Int?, _ step: Int?) throws(TemplateError)
    -> TemplateValue
  {
    let step = step ?? 1
    guard step != 0, step.magnitude < 1 << 32 else { throw Self.fault("a slice goes on by 0") }
    func cut<Element>(_ items: [Element]) -> [Element] {
      func place(_ index: Int, _ low: Int, _ high: Int) -> Int {
        min(max(index < 0 ? index + items.count : index, low), high)
      }
      if step > 0 {
        let (first, end) = (place(from ?? 0, 0, items.count), place(to ?? items.count, 0, items.count))
        return stride(from: first, to: max(first, end), by: step).map { items[$0] }
      }
      let first = place(from ?? items.count - 1, -1, items.count - 1)
      let end = to.map { place($0, -1, items.count - 1) } ?? -1
      return stride(from: first, to: min(first, end), by: step).map { items[$0] }
    }
    switch whole {
    case .list(let items): return .list(cut(items))
    case .text(let text): return .text(cut(text.characters).reduce(into: MarkedText()) { $0.append($1) })
    case .undefined: return .undefined
    default: throw Self.fault("it slices what is no list")
    }
  }

  private mutating func filter(
    _ name: String, _ value: TemplateValue, _ arguments: TemplateArguments
  ) throws(TemplateError) -> TemplateValue {
    let places = try values(arguments.places)
    var named: [String: TemplateValue] = [:]
    for (name, expression) in arguments.names { named[name] = try self.value(expression) }
    switch name {
    case "map", "select", "reject", "selectattr", "rejectattr": break
    default: return try bounded(try TemplateFilters.apply(name, value, places, named))
    }
    var kept: [TemplateValue] = []
    for item in try TemplateFilters.items(of: value) {
      try step()
      if name == "map" {
        if let attribute = named["attribute"]?.string {
          let found = TemplateFilters.member(item, attribute)
          if case .undefined = found { kept.append(named["default"] ?? found) } else { kept.append(found) }
        } else {
          let filter = places.first?.string ?? ""
          guard TemplateFilters.names.contains(filter), filter != "map" else {
            throw Self.fault("it maps with the filter \"\(filter.prefix(32))\", which is not understood")
          }
          kept.append(try TemplateFilters.apply(filter, item, Array(places.dropFirst()), [:]))
        }
        continue
      }
      let byAttribute = name.hasSuffix("attr")
      let subject = byAttribute ? TemplateFilters.member(item, places.first?.string ?? "") : item
      let test = places.dropFirst(byAttribute ? 1 : 0)
      let holds =
        try test.first?.string.map { (test1) throws(TemplateError) in
          try TemplateFilters.test(test1, subject, Array(test.dropFirst()))
        } ?? subject.isTrue
      if holds != name.hasPrefix("reject") { kept.append(item) }
    }
    return .list(kept)
  }

  private mutating func call(
    _ function: TemplateExpression, _ arguments: TemplateArguments
  ) throws(TemplateError) -> TemplateValue {
    if case .member(let object, .literal(.text(let name))) = function {
      let object = try value(object)
      let places = try values(arguments.places)
      if let result = try TemplateOperators.method(name.string, of: object, places) { return try bounded(result) }
      if case .map(let map) = object, name.string == "cycle", let index = map["index0"]?.whole, !places.isEmpty {
        return places[index % places.count]
      }
      throw Self.fault("it calls the method \"\(name.string.prefix(32))\", which is not understood")
    }
    if case .name(let name) = function, lookUp(name) == nil { return try builtIn(name, arguments) }
    guard case .macro(let number) = try value(function) else { throw Self.fault("it calls what is no function") }
    return try call(macros[number], arguments)
  }

  private mutating func builtIn(
    _ name: String, _ arguments: TemplateArguments
  ) throws(TemplateError) -> TemplateValue {
    let places = try values(arguments.places)
    switch name {
    case "raise_exception": throw Self.fault(TemplateText.of(places.first ?? .undefined).string)
    case "namespace", "dict":
      var map = TemplateMap()
      for (name, expression) in arguments.names {
        map.set(MarkedText(name, authored: true), to: try value(expression))
      }
      guard name == "namespace" else { return .map(map) }
      namespaces.append(map)
      return .namespace(namespaces.count - 1)
    case "range":
      let bounds = places.map(\.whole)
      guard (1...3).contains(bounds.count), !bounds.contains(where: { $0 == nil }) else {
        throw Self.fault("a range needs numbers")
      }
      let (first, end) = bounds.count == 1 ? (0, bounds[0] ?? 0) : (bounds[0] ?? 0, bounds[1] ?? 0)
      let by = bounds.count == 3 ? bounds[2] ?? 1 : 1
      guard by != 0, first.magnitude < 1 << 32, end.magnitude < 1 << 32, (end - first) / by < 100_000 else {
        throw Self.fault("a range is too long")
      }
      steps += max(0, (end - first) / by)
      return .list(stride(from: first, to: end, by: by).map { .integer($0) })
    default: throw Self.fault("it calls \"\(name.prefix(32))\", which is not understood")
    }
  }

  private mutating func call(
    _ macro: TemplateMacro, _ arguments: TemplateArguments
  ) throws(TemplateError) -> TemplateValue {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.mostNested else { throw Self.fault("its macros call each other too deep") }
    var names: [String: TemplateValue] = [:]
    for (index, parameter) in macro.parameters.enumerated() {
      if index < arguments.places.count {
        names[parameter.name] = try value(arguments.places[index])
      } else if let given = arguments.names.first(where: { $0.name == parameter.name }) {
        names[parameter.name] = try value(given.value)
      } else {
        names[parameter.name] =
          try parameter.value.map { (value) throws(TemplateError) in try self.value(value) }
          ?? .undefined
      }
    }
    // A macro sees what stands outside of all loops.
    let outer = scopes
    scopes = [outer[0], names]
    defer { scopes = outer }
    return .text(try captured { (rendering) throws(TemplateError) in try rendering.run(macro.body) })
  }
}

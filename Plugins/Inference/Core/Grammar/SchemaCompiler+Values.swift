/// What schemas say of texts and numbers.
extension SchemaCompiler {
  /// Formats as patterns of the whole text (RFC 3339, RFC 4122, RFC 2673); the days of a month are told apart, leap
  /// years are not.
  private static let formats: [String: String] = {
    let date =
      "[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
      + "|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    let time =
      "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{1,9})?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
    let octet = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
    let hex = "[0-9a-fA-F]"
    return [
      "date": date, "time": time, "date-time": "\(date)T\(time)",
      "uuid": "\(hex){8}-\(hex){4}-\(hex){4}-\(hex){4}-\(hex){12}", "ipv4": "(?:\(octet)\\.){3}\(octet)",
      "duration": "P(?:[0-9]{1,4}W|[0-9]{1,4}D(?:T[0-9]{1,4}H(?:[0-9]{1,4}M)?)?|T[0-9]{1,4}[HMS])",
      "email":
        "[A-Za-z0-9_+-]{1,32}(?:\\.[A-Za-z0-9_+-]{1,32}){0,3}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?\\.){1,4}"
        + "[A-Za-z]{2,16}",
      "hostname": "(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?\\.){0,4}[A-Za-z](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?",
    ]
  }()

  mutating func string(_ schema: JSONValue, _ path: String) throws(GrammarFault) -> Form {
    var pattern: (text: String, path: String)?
    if let given = schema["pattern"] {
      guard let text = given.string else { throw GrammarFault("is \(given.kind), not a text", path: path + ".pattern") }
      pattern = (text, path + ".pattern")
    } else if let format = schema["format"] {
      if let text = format.string.flatMap({ Self.formats[$0] }) {
        pattern = ("^(?:\(text))$", path + ".format")
      } else {
        try unheld(path + ".format", "names a format that this engine does not hold")
      }
    }
    let (least, most) = try bounds(schema, "minLength", "maxLength", path, Self.mostCharacters)
    if let pattern {
      if least > 0 || most != nil {
        try unheld(pattern.path, "stands beside `minLength` or `maxLength`, which this engine does not hold together")
      }
      do throws(GrammarFault) {
        return .sequence([.text("\""), try PatternParser.form(pattern.text, forms), .text("\"")])
      } catch {
        try unheld(pattern.path, error.reason)
      }
    }
    guard least > 0 || most != nil else { return forms.string }
    return .sequence([.text("\""), .repeated(forms.character, least: least, most: most), .text("\"")])
  }

  /// How often something comes; what is beyond the bound is left open, or refused if strict.
  private func bounds(
    _ schema: JSONValue, _ low: String, _ high: String, _ path: String, _ bound: Int
  ) throws(GrammarFault) -> (Int, Int?) {
    func read(_ name: String) throws(GrammarFault) -> Int? {
      guard let value = schema[name] else { return nil }
      guard let number = value.integer(Int.self), number >= 0 else {
        throw GrammarFault("must be a whole number of at least 0", path: "\(path).\(name)")
      }
      guard number <= bound else {
        try unheld("\(path).\(name)", "is more than \(bound)")
        return name == low ? bound : nil
      }
      return number
    }
    let (least, most) = (try read(low) ?? 0, try read(high))
    if let most, most < least { throw GrammarFault("is less than `\(low)`", path: "\(path).\(high)") }
    return (least, most)
  }

  func number(_ schema: JSONValue, _ path: String, isWhole: Bool) throws(GrammarFault) -> Form {
    func read(_ name: String) throws(GrammarFault) -> Double? {
      guard let value = schema[name] else { return nil }
      guard let number = value.double else { throw GrammarFault("must be a number", path: "\(path).\(name)") }
      return number
    }
    var (low, high) = (try read("minimum"), try read("maximum"))
    // The next number that is told apart: 1 for whole numbers, a billionth of the bound otherwise.
    func beyond(_ value: Double) -> Double { isWhole ? 1 : max(value.magnitude, 1) * 1e-9 }
    if let bound = try read("exclusiveMinimum") {
      let least = isWhole ? bound.rounded(.down) + 1 : bound + beyond(bound)
      low = max(low ?? least, least)
    }
    if let bound = try read("exclusiveMaximum") {
      let greatest = isWhole ? bound.rounded(.up) - 1 : bound - beyond(bound)
      high = min(high ?? greatest, greatest)
    }
    guard low != nil || high != nil else { return isWhole ? forms.integer : forms.number }
    let most = Double(NumberRanges.most)
    let (first, last) = (max(low ?? -most, -most), min(high ?? most, most))
    let form =
      isWhole
      ? NumberRanges.integers(Int64(first.rounded(.up)), Int64(last.rounded(.down))) : NumberRanges.numbers(first, last)
    if case .choice(let choices) = form, choices.isEmpty {
      throw GrammarFault("leaves no number that is written with a whole part between its bounds", path: path)
    }
    return form
  }

  mutating func list(_ schema: JSONValue, _ path: String) throws(GrammarFault) -> Form {
    var (least, most) = try bounds(schema, "minItems", "maxItems", path, Self.mostItems)
    var first: [Form] = []
    if let given = schema["prefixItems"] {
      guard let schemas = given.array, schemas.count <= Self.mostItems else {
        throw GrammarFault("must be a list of at most \(Self.mostItems) schemas", path: path + ".prefixItems")
      }
      for (index, schema) in schemas.enumerated() {
        first.append(try form(schema, path: "\(path).prefixItems[\(index)]"))
      }
      // What has a schema of its own is written, unless it would be too much.
      least = max(least, min(first.count, most ?? first.count))
    }
    if let given = most, given < first.count { first.removeLast(first.count - given) }
    var item: Form?
    switch schema["items"] {
    case .bool(false)?: most = min(most ?? first.count, first.count)
    case let given?: item = forms.add(try form(given, path: path + ".items"))
    case nil: item = forms.value
    }
    if case .choice(let choices)? = item, choices.isEmpty { item = nil }
    var content: [Form] = []
    for (index, form) in first.enumerated() { content.append(index == 0 ? form : .sequence([forms.comma, form])) }
    let more = (least: max(0, least - first.count), most: most.map { max(0, $0 - first.count) })
    if let item, more.most != 0 {
      if first.isEmpty {
        let some = forms.separated(item, least: more.least, most: more.most)
        content.append(more.least > 0 ? some : .optional(some))
      } else {
        content.append(.repeated(.sequence([forms.comma, item]), least: more.least, most: more.most))
      }
    } else if more.least > 0 {
      throw GrammarFault("asks for more items than may be there", path: path + ".minItems")
    }
    return forms.add(forms.brackets(.sequence(content)))
  }
}

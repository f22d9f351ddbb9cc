import Canonical

/// Reads and sets what the running system obeys.
package struct Parameters<State: LedgerState> {
  let state: State

  package init(_ state: State) { self.state = state }

  /// Sets the inference defaults; only an executed proposal may.
  package func set(_ defaults: InferenceDefaults) throws {
    try state.requireExecutedProposal("set_inference_defaults")
    try state.put(DefaultsRecord(defaults, since: try state.height()), at: Key.inferenceDefaults)
    let payload = StrictJSON.object([
      "hash": .string(defaults.hash.description), "max_tokens": .integer(Int128(defaults.maxTokens)),
      "system_prompt": .string(defaults.systemPrompt),
      "temperature_milli": .integer(Int128(defaults.temperatureMilli)),
    ])
    try state.emit("governance.parameters", payload.text)
  }

  /// The inference defaults in force.
  package func show() throws -> ParametersView {
    let record = try state.record(DefaultsRecord.self, at: Key.inferenceDefaults)
    return ParametersView(record?.defaults ?? .initial, since: record?.height ?? Height(0))
  }

  /// Sets how later proposals are decided; only an executed proposal may.
  ///
  /// Published ones keep their rules.
  package func set(_ rules: Rules) throws {
    try state.requireExecutedProposal("set_rules")
    try state.put(rules, at: Key.rules)
    try state.emit("governance.rules", rules.json.text)
  }

  /// How a proposal that is published now will be decided.
  package func rules() throws -> Rules { try state.record(Rules.self, at: Key.rules) ?? .initial }
}

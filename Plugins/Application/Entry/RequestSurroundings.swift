import ApplicationCore
import PluginKit

/// The other layers as one HTTP request reaches them.
struct RequestSurroundings: Surroundings {
  let host: Host
  let call: Call
  let settings: Settings
  let cache: TermsCache

  var isCancelled: Bool { call.isCancelled }

  func onOtherThread(
    isStopped: @escaping @Sendable () -> Bool, _ body: (any Surroundings) throws -> Void
  ) throws {
    let call = call
    try asking {
      try host.withRootCall(
        origin: call.origin, deadline: call.deadline, isCancelled: { isStopped() || call.isCancelled },
        traceID: Hex.bytes(call.traceID)
      ) { try body(RequestSurroundings(host: host, call: $0, settings: settings, cache: cache)) }
    }
  }

  func models() throws -> [Model] {
    let json = try JSONValue(try asking { try inferenceModels(call) }, from: "inference.models")
    return (json.arrayValue ?? json["models"]?.arrayValue ?? []).compactMap { model in
      guard let id = model["id"]?.stringValue, let context = model["context_length"]?.unsignedValue else { return nil }
      return Model(
        id: id, sha256: model["sha256"]?.stringValue ?? "", quantization: model["quantization"]?.stringValue ?? "",
        contextLength: context, created: model["created"]?.unsignedValue ?? 0,
        fingerprint: model["fingerprint"]?.stringValue ?? "")
    }
  }

  func count(_ request: EngineRequest) throws -> UInt64 {
    UInt64(try asking { try inferenceCount(call, request.json.json) })
  }

  func embed(_ request: EmbeddingRequest, caller: String) throws -> Embeddings {
    let wanted: JSONValue = [
      "model": .string(request.model), "input": .array(request.inputs.map { .string($0) }), "caller": .string(caller),
    ]
    let json = try JSONValue(try asking { try inferenceEmbed(call, wanted.json) }, from: "inference.embed")
    guard let embeddings = Embeddings(json) else {
      throw Refusal(.internalFault, "bad_answer", "inference.embed gave no vectors.")
    }
    return embeddings
  }

  func generate(_ request: EngineRequest, _ onEvent: (EngineEvent) throws -> Void) throws {
    try asking {
      try inferenceGenerate.stream(call, request.json.json) { json in
        guard let event = EngineEvent(try JSONValue(json, from: "inference.generate")) else {
          throw Refusal(.internalFault, "bad_answer", "inference.generate gave an event of no known kind.")
        }
        try onEvent(event)
      }
    }
  }

  func parameters() throws -> Parameters { try terms().parameters }

  func price() throws -> Price { try terms().price }

  private func terms() throws -> Terms {
    let height = try asking { try ledgerHeight(call) }
    return try cache.terms(height: height, nanoseconds: host.clock.monotonicNanoseconds) {
      Terms(parameters: try readParameters(), price: try readPrice())
    }
  }

  private func readParameters() throws -> Parameters {
    let json: JSON
    do {
      json = try governanceParameters(call)
    } catch  where error.status == .unavailable {
      // No governance here: the operator's settings are in force.
      return settings.parameters
    } catch {
      throw Refusal(status: error.status.rawValue, code: error.code, message: error.message)
    }
    let value = try JSONValue(json, from: "governance.parameters")
    guard let temperature = value["temperature"]?.doubleValue, let tokens = value["max_tokens"]?.unsignedValue,
      let prompt = value["system_prompt"]?.stringValue, let hash = value["hash"]?.stringValue
    else { throw Refusal(.internalFault, "bad_answer", "governance.parameters gave no parameters.") }
    return Parameters(temperature: temperature, maximumTokens: tokens, systemPrompt: prompt, hash: hash)
  }

  private func readPrice() throws -> Price { try TicketContract.price { try ledgerValue(call, $0) } ?? settings.price }
}

/// The stream to the edge.
struct EdgeOutput: ResponseOutput {
  let output: Output
  func write(_ message: [UInt8]) throws { try output.write(message) }
}

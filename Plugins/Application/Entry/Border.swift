import ApplicationCore
import PluginKit

/// Runs the layer's own work for a caller: what it refuses becomes the contract's failure.
func answering<R>(_ body: () throws -> R) throws -> R {
  do {
    return try body()
  } catch let refusal as Refusal {
    throw Failure(Status(rawValue: refusal.status) ?? .internal, refusal.code ?? "refused", refusal.message)
  }
}

/// Asks another layer: its failure becomes the layer's own error.
func asking<R>(_ body: () throws -> R) throws -> R {
  do {
    return try body()
  } catch let failure as Failure {
    throw Refusal(status: failure.status.rawValue, code: failure.code, message: failure.message)
  }
}

extension JSONValue {
  /// Reads JSON that another layer gave.
  init(_ json: JSON, from layer: String, _ kind: Refusal.Kind = .internalFault) throws {
    do {
      self = try JSONParser.parse(Array(json.text.utf8))
    } catch {
      throw Refusal(kind, "bad_json", "\(layer) gave JSON that cannot be read: \(error.reason).")
    }
  }

  var json: JSON { JSON(text: text) }
}

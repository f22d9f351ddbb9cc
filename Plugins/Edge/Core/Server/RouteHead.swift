import FoundationEssentials
import HTTPTypes

/// The first message of a declared route: status and header fields of the answer.
struct RouteHead {
  var status: Int
  var headers: [(HTTPField.Name, String)]

  /// Fields that belong to the connection and are the edge's to set.
  private static let ours: Set<String> = [
    "connection", "content-length", "keep-alive", "transfer-encoding", "upgrade", "trailer", "te", "date",
  ]

  private struct Wire: Decodable {
    var status: Int
    var headers: [String: String]?
  }

  static func decode(_ message: [UInt8], method: String) throws(EdgeFailure) -> RouteHead {
    guard let wire = try? JSONDecoder().decode(Wire.self, from: Data(message)), (200...599).contains(wire.status) else {
      throw EdgeFailure(
        .internal, "bad_head",
        "The layer's answer does not begin with {\"status\":…,\"headers\":{…}}: its method \(method) is at fault.")
    }
    var headers: [(HTTPField.Name, String)] = []
    for (name, value) in wire.headers ?? [:] {
      guard let name = HTTPField.Name(name), !ours.contains(name.canonicalName), HTTPField.isValidValue(value) else {
        continue
      }
      headers.append((name, value))
    }
    return RouteHead(status: wire.status, headers: headers)
  }
}

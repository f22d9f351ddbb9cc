/// The control socket's requests about reloads.
enum ReloadRequests {
  static func perform(_ request: JSONValue, on node: Node) throws(HostError) -> JSONValue {
    if request[key: "op"]?.string == "reload-status" {
      guard let ticket = request[key: "ticket"]?.string else { throw .invalid("no_ticket", "Name a ticket.") }
      return try node.ticketJSON(ticket)
    }
    guard let id = request[key: "plugin"]?.string else { throw .invalid("no_plugin", "Name a plugin.") }
    switch request[key: "op"]?.string {
    case "rollback-plugin": return try node.rollBack(id)
    case "plugin-history": return try node.historyJSON(id)
    default: return try reload(id, request, on: node)
    }
  }

  private static func reload(_ id: String, _ request: JSONValue, on node: Node) throws(HostError) -> JSONValue {
    var wanted = ReloadRequest(id: id, library: request[key: "library"]?.string)
    wanted.isGrant = request[key: "grant"] == .bool(true)
    wanted.isDryRun = request[key: "dry_run"] == .bool(true)
    wanted.isOneWay = request[key: "one_way"] == .bool(true)
    wanted.isPardon = request[key: "lift_quarantine"] == .bool(true)
    switch request[key: "wait"]?.string {
    case "none": return try node.submit(wanted).json
    case "permanent": return try node.reload(wanted, until: .end)
    default: return try node.reload(wanted)
    }
  }
}

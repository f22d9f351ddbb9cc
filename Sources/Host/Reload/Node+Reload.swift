import Logging
import Synchronization

extension Node {
  /// Serves a ticket of the desk.
  var serve: @Sendable (ReloadTicket) -> Void {
    { [self] ticket in
      do throws(HostError) { try ReloadTransaction(self, ticket).run() } catch { ticket.end(.rejected, error) }
    }
  }

  /// How a plugin is replaced.
  func reloadPolicy(_ id: String) -> Configuration.ReloadPolicy {
    configuration.plugins.first { $0.id == id }?.reload ?? Configuration.ReloadPolicy()
  }

  /// Takes a request; the ticket tells how it goes.
  func submit(_ request: ReloadRequest) throws(HostError) -> ReloadTicket {
    guard let plugin = configuration.plugins.first(where: { $0.id == request.id }), plugin.enabled else {
      let hint = Spelling.nearest(to: request.id, in: configuration.plugins.map(\.id)).map { " Did you mean `\($0)`?" }
      throw .notFound(
        "no_plugin",
        "No plugin `\(request.id)` runs here: `symbolon plugin list` shows what does.\(hint ?? "")")
    }
    return try desk.submit(request, serve: serve)
  }

  /// Takes a request and waits until the new one serves; throws the reason when it does not.
  func reload(_ request: ReloadRequest, until goal: ReloadTicket.Goal = .serving) throws(HostError) -> JSONValue {
    let ticket = try submit(request)
    let policy = reloadPolicy(request.id)
    let patience = 120 + (policy.drainMs + (goal == .end ? policy.probationMs : 0)) / 1000
    guard ticket.wait(for: goal, seconds: Int(patience)) else {
      throw .unavailable(
        "still_running", "The reload has not ended yet: `symbolon plugin reload-status \(ticket.number)` shows it.")
    }
    if let error = ticket.error { throw error }
    return ticket.json
  }

  /// Back to the version before, or to the last permanent library that is another one than the running one.
  func rollBack(_ id: String) throws(HostError) -> JSONValue {
    if let probation = desk.probation(id), let transaction = probation.transaction, transaction.old != nil {
      probation.report(.refused("operator", "The operator asked for it."))
      guard transaction.ticket.wait(for: .end, seconds: 30) else {
        throw .unavailable(
          "still_running", "The rollback waits for calls: `symbolon plugin history \(id)` shows its end.")
      }
      guard transaction.ticket.state == .rolledBack else {
        throw .refused("not_rolled_back", "`\(id)` was not rolled back: \(transaction.ticket.error?.message ?? "").")
      }
      return transaction.ticket.json
    }
    let running = layer(id)?.generation?.entry.sha256 ?? loading.findings().first { $0.id == id }?.sha256
    guard let entry = history.permanent(id, otherThan: running) else {
      throw .notFound(
        "no_earlier_library",
        "There is no earlier library of `\(id)` that was permanent: `symbolon plugin history \(id)`.")
    }
    return try reload(ReloadRequest(id: id, library: entry.path))
  }

  /// Ends a generation when its last call has returned.
  func retireLater(_ generation: Generation, of layer: Layer) {
    Thread.detach(named: "retire") { [self] in
      while !layer.drain(generation, seconds: 60) {
        logger.info("an old generation still has calls", metadata: ["plugin": "\(layer.id)"])
      }
      finish(generation)
    }
  }

  /// A history as the control socket carries it.
  func historyJSON(_ id: String) throws(HostError) -> JSONValue {
    let entries = history.entries(id)
    guard !entries.isEmpty || layer(id) != nil else {
      throw .notFound("no_plugin", "Nothing is known of a plugin `\(id)`.")
    }
    return .object(["plugin": .string(id), "events": .array(entries.map(\.json))])
  }

  /// How a request goes, also one that the node no longer has in memory.
  func ticketJSON(_ number: String) throws(HostError) -> JSONValue {
    if let ticket = desk.ticket(number) { return ticket.json }
    for plugin in configuration.plugins {
      guard let event = history.entries(plugin.id).last(where: { $0.ticket == number }) else { continue }
      return .object([
        "ticket": .string(number), "plugin": .string(plugin.id), "state": .string(event.to.rawValue),
        "to_version": .string(event.version), "ended": .bool(true),
      ])
    }
    throw .notFound("no_ticket", "There is no ticket \(number): `symbolon plugin history ID` shows what happened.")
  }
}

import ApplicationCore
import PluginKit
import Synchronization

/// The layer as the host holds it: settings, and between start and stop the meter, the gateway and the settler.
final class ApplicationLayer: Sendable {
  private struct Running {
    let meter: Meter
    let gateway: Gateway
    let settler: Settler
    let office: KeyOffice
    let epilogue: Epilogue
    let isStopping: StopFlag
  }

  private let host: Host
  private let settings: Settings
  private let terms = TermsCache()
  private let running = Mutex<Running?>(nil)

  init(_ host: Host) throws {
    self.host = host
    settings = try host.settings(as: Settings.self)
  }

  func start() throws {
    let host = host
    let clock = Meter.Clock(
      unix: { host.clock.milliseconds }, monotonic: { host.clock.monotonicNanoseconds / 1_000_000 })
    let meter = try Meter(store: PosixJournalStore(folder: host.storage), limits: settings.limits, clock: clock)
    report(meter.recovery)
    let isStopping = StopFlag()
    let ledger = NodeLedger(host: host, isStopping: isStopping)
    let plan = try meter.reconcile(ledger.ownKeys(), lastBatch: ledger.lastBatch())
    for warning in plan.warnings { host.log.warning(warning) }
    let settler = Settler(meter: meter, ledger: ledger) { refusal in
      guard !isStopping.isSet else { return }
      host.log.warning(
        "Charges are not settled yet; they are kept.", ["code": refusal.code ?? "", "why": refusal.message])
    }
    let epilogue = Epilogue(meter: meter) { summary in
      if summary.charged > .zero { settler.noteCharge() }
      Self.log(summary, host)
    }
    epilogue.start()
    let gateway = Gateway(
      meter: meter, clock: clock, random: { (try? host.random($0)) ?? [UInt8](repeating: 0, count: $0) },
      observe: { epilogue.add($0) })
    let office = KeyOffice(meter: meter, settler: settler, ledger: ledger)
    let running = Running(
      meter: meter, gateway: gateway, settler: settler, office: office, epilogue: epilogue, isStopping: isStopping)
    self.running.withLock { $0 = running }
    // Transitions of this layer run only after it has started, so keys are closed by the settler's thread.
    settler.start(
      everyMilliseconds: settings.settleSeconds * 1000, orAfterCharges: Int(settings.settleCharges)
    ) {
      office.closeRevoked { key, error in
        guard !isStopping.isSet else { return }
        host.log.warning("A revoked key could not be closed yet.", ["key": key.id, "why": "\(error)"])
      }
    }
  }

  func stop() {
    let running = running.withLock { running in
      defer { running = nil }
      return running
    }
    guard let running else { return }
    running.isStopping.set()
    running.settler.stop()
    running.epilogue.stop()
    try? running.meter.commit()
  }

  private func report(_ recovery: Meter.Recovery) {
    if recovery.tornBytes > 0 {
      host.log.warning(
        "The end of the metering journal was torn by a crash and cut off.", ["bytes": "\(recovery.tornBytes)"])
    }
    if recovery.orphans > 0 {
      host.log.info(
        "Returned what a crash left reserved.",
        ["requests": "\(recovery.orphans)", "microcredits": "\(recovery.returned)"])
    }
  }

  /// One line a request, with counts only.
  private static func log(_ summary: Gateway.Summary, _ host: Host) {
    var fields = [
      "request": summary.requestID, "path": summary.resource.count > 64 ? "…" : summary.resource,
      "status": "\(summary.status)", "ms": "\(summary.milliseconds)",
    ]
    fields["code"] = summary.code
    fields["key"] = summary.key
    if summary.key != nil {
      fields["prompt_tokens"] = "\(summary.tokens.prompt)"
      fields["completion_tokens"] = "\(summary.tokens.completion)"
      fields["charged"] = "\(summary.charged)"
    }
    if summary.isAbandoned { fields["abandoned"] = "true" }
    host.log.info("request", fields)
  }

  private func current() throws -> Running {
    guard let running = running.withLock({ $0 }) else {
      throw Refusal(.unavailable, "not_started", "The application layer is starting or stopping. Try again.")
    }
    return running
  }

  // MARK: Methods

  func http(_ call: Call, _ output: Output, _ verb: String, _ path: String, _ headers: JSON, _ body: [UInt8]) throws {
    var pairs: [(String, String)] = []
    if case .object(let members) = try JSONValue(headers, from: "the edge") {
      pairs = members.compactMap { member in
        (member.value.stringValue ?? member.value.arrayValue?.first?.stringValue).map { (member.name, $0) }
      }
    }
    try current().gateway.handle(
      HTTPRequest(verb: verb, path: path, headers: pairs, body: body),
      RequestSurroundings(host: host, call: call, settings: settings, cache: terms), EdgeOutput(output: output))
  }

  func createKey(budget: UInt64) throws -> JSON {
    let office = try current().office
    let secret = TicketSecret(random: try asking { try host.random(32) })
    try office.open(secret.hash, budget: Amount(budget))
    let shown: JSONValue = [
      "key": .string(secret.text), "id": .string(secret.hash.id), "budget": .integer(budget),
    ]
    return shown.json
  }

  func listKeys() throws -> JSON {
    let meter = try current().meter
    try? meter.commit()
    return meter.list().json
  }

  func showKey(_ text: String) throws -> JSON {
    let meter = try current().meter
    try? meter.commit()
    return meter.show(try meter.find(text)).json
  }

  func revokeKey(_ text: String) throws -> JSON {
    let running = try current()
    let key = try running.meter.find(text)
    let returned = try running.office.revoke(key)
    guard case .object(let members) = running.meter.show(key) else { return JSON(text: "null") }
    return JSONValue.object(members + [.init("returned", .integer(returned.micro))]).json
  }

  func price(_ call: Call) throws -> JSON {
    try RequestSurroundings(host: host, call: call, settings: settings, cache: terms).price().json.json
  }
}

import Logging
import ArgumentParser
import CCalls
import CProbe
import Glibc
import Synchronization

/// `symbolon run`: the node, until it is told to stop.
struct Run: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "run", abstract: "Start the node.")

  @Option(help: "The configuration of the node.")
  var config = NodeOptions.defaultConfiguration

  @Option(help: "Listen here instead of where the configuration says, for example 127.0.0.1:0.")
  var listen: String?

  @Option(help: "Keep data here instead of where the configuration says.")
  var data: String?

  @Flag(help: "Start without the plugin that the last start died with, and without what needs it.")
  var safeMode = false

  @Flag(help: "Print errors as JSON.")
  var json = false

  func run() {
    Terminal.run(json: json) { () throws(HostError) in
      var settings = try read()
      if let listen { settings.listen = try ListenAddress(parsing: listen) }
      if let data { settings.data = try Self.absolute(ConfigurationReader.expand(data)) }
      try Self.serve(settings, safeMode: safeMode)
    }
  }

  private func read() throws(HostError) -> Configuration {
    do throws(HostError) { return try Configuration(contentsOf: config) } catch {
      let hint = GoodConfiguration.hint(for: config, data: data.map(ConfigurationReader.expand))
      throw HostError(Int(error.status), error.code, error.message + hint)
    }
  }

  private static func absolute(_ path: String) throws(HostError) -> String {
    guard path.hasPrefix("/") else {
      throw .invalid("data_not_absolute", "--data must be an absolute path, or begin with ~/.")
    }
    return path
  }

  private static func serve(_ configuration: Configuration, safeMode: Bool) throws(HostError) {
    symbolon_heap_limit_arenas()
    let stopper = StopSignals()
    symbolon_ticks_prepare()
    let node = try Node(configuration)
    try node.bindListener()
    node.events.start()
    let control = try ControlServer(node) { stopper.stop() }
    do throws(HostError) {
      try node.startAll(safeMode: safeMode)
    } catch {
      control.stop()
      throw error
    }
    control.start()
    node.logger.info(
      "node ready",
      metadata: [
        "listen": "\(node.listenAddress?.description ?? "none")", "data": "\(node.data)",
        "ms": "\((MonotonicClock.nanoseconds - node.startedAt) / 1_000_000)",
      ])
    let reason = stopper.wait { node.reloadConfiguration() }
    node.logger.info("node stops", metadata: ["reason": "\(reason)"])
    control.stop()
    node.stopAll()
    node.logger.info("node stopped")
  }
}

/// Waits for SIGINT, SIGTERM or a request; a second signal ends the process at once.
final class StopSignals: @unchecked Sendable {  // Proof: the set is constant after init; signals go through the kernel.
  private var signals = sigset_t()

  init() {
    sigemptyset(&signals)
    sigaddset(&signals, SIGINT)
    sigaddset(&signals, SIGTERM)
    sigaddset(&signals, SIGUSR1)
    sigaddset(&signals, SIGHUP)
    // Blocked in the first thread before any other exists, so that every thread inherits it.
    pthread_sigmask(SIG_BLOCK, &signals, nil)
  }

  /// Asks the waiting thread to stop.
  func stop() { kill(getpid(), SIGUSR1) }

  /// Sleeps until the node is to stop; `hangUp` runs for each SIGHUP.
  func wait(hangUp: () -> Void) -> String {
    var number: Int32 = 0
    while sigwait(&signals, &number) != 0 || number == SIGHUP {
      if number == SIGHUP { hangUp() }
    }
    // From here on a second signal has its usual effect: an operator who insists is obeyed.
    var urgent = sigset_t()
    sigemptyset(&urgent)
    sigaddset(&urgent, SIGINT)
    sigaddset(&urgent, SIGTERM)
    pthread_sigmask(SIG_UNBLOCK, &urgent, nil)
    return number == SIGINT ? "interrupt" : number == SIGTERM ? "terminate" : "request"
  }
}

/// `symbolon stop`: ends the running node gracefully.
struct Stop: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "stop", abstract: "Stop the running node gracefully.")

  @OptionGroup var node: NodeOptions

  func run() {
    Terminal.run(json: node.json) { () throws(HostError) in
      _ = try node.client().request("stop")
      print(node.json ? "{\"stopping\":true}" : "The node stops.")
    }
  }
}

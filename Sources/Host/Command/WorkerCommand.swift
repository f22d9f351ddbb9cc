import ArgumentParser

/// `symbolon worker`: the process behind `home = "worker"`; started by the host alone.
struct WorkerCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "worker", abstract: "Serve one plugin for the host.", shouldDisplay: false)

  @Option(help: "The host's process.")
  var parent: Int32

  @Option(help: "How many bytes the host has to say.")
  var hello: Int

  func run() { WorkerMain.run(parent: parent, helloBytes: hello) }
}

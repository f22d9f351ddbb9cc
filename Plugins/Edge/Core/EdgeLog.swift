import Logging

/// Where log lines go: the host's log, through the entry; bodies, prompts and authorization never go in.
package struct EdgeLog: Sendable {
  package enum Level: Int, Sendable, Comparable {
    case debug, info, warning, error

    package static func < (lhs: Level, rhs: Level) -> Bool { lhs.rawValue < rhs.rawValue }
  }

  private let sink: @Sendable (Level, String, [String: String]) -> Void

  package init(_ sink: @escaping @Sendable (Level, String, [String: String]) -> Void) { self.sink = sink }

  package func write(_ level: Level, _ message: String, _ fields: [String: String] = [:]) {
    sink(level, message, fields)
  }

  /// A logger for the libraries below, without the process-wide LoggingSystem.
  var logger: Logger {
    var logger = Logger(label: "edge") { _ in LogBridge(log: self) }
    logger.logLevel = .info
    return logger
  }
}

/// Hands what the libraries log to the host, from `info` upwards.
private struct LogBridge: LogHandler {
  let log: EdgeLog
  var metadata: Logger.Metadata = [:]
  var metadataProvider: Logger.MetadataProvider?
  var logLevel: Logger.Level = .info

  init(log: EdgeLog) { self.log = log }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let level: EdgeLog.Level =
      switch event.level {
      case .trace, .debug: .debug
      case .info, .notice: .info
      case .warning: .warning
      case .error, .critical: .error
      }
    let fields = metadata.merging(event.metadata ?? [:]) { $1 }.mapValues { "\($0)" }
    log.write(level, "\(event.message)", fields)
  }
}

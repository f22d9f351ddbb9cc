import FoundationEssentials
import Glibc
import Logging
import Synchronization

/// Writes one line an event to standard error: `text` for people, `json` for machines.
struct LineLogHandler: LogHandler {
  var metadata: Logger.Metadata = [:]
  var logLevel: Logger.Level
  let label: String
  let json: Bool

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    var fields = metadata.merging(event.metadata ?? [:]) { $1 }
    if let trace = TraceContext.current { fields["trace"] = .string(trace) }
    let time = Self.timestamp()
    var line: String
    if json {
      var members: [String: JSONValue] = fields.mapValues { .string("\($0)") }
      members["time"] = .string(time)
      members["level"] = .string(event.level.rawValue)
      members["plugin"] = .string(label)
      members["message"] = .string("\(event.message)")
      line = JSONValue.object(members).text
    } else {
      line = "\(time) \(event.level.rawValue.uppercased()) \(label): \(Self.oneLine("\(event.message)"))"
      for (key, value) in fields.sorted(by: { $0.key < $1.key }) { line += " \(key)=\(Self.oneLine("\(value)"))" }
    }
    line += "\n"
    StandardError.write(line)
  }

  /// A log line stays a line, whatever a plugin puts into it.
  private static func oneLine(_ text: String) -> String {
    String(String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7f ? " " : $0 }))
  }

  private static func timestamp() -> String {
    Date.now.formatted(.iso8601.year().month().day().time(includingFractionalSeconds: true))
  }
}

/// The process's standard error.
enum StandardError {
  static func write(_ text: String) {
    let bytes = Array(text.utf8)
    _ = Glibc.write(STDERR_FILENO, bytes, bytes.count)
  }
}

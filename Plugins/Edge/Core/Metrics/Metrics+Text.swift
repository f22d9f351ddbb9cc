extension Metrics {
  /// The text exposition format 0.0.4.
  package func text(catalog: Catalog?, callsInFlight: Int, memory: ProcessMemory?) -> String {
    let state = snapshot()
    var out = MetricsText()
    let routes = state.routes.sorted { ($0.key.pattern, $0.key.verb) < ($1.key.pattern, $1.key.verb) }
    out.family("symbolon_http_requests_total", "counter", "HTTP requests answered, by route and status.")
    for (key, route) in routes {
      for (status, count) in route.byStatus.sorted(by: { $0.key < $1.key }) {
        out.sample("symbolon_http_requests_total", key.labels + [("status", String(status))], String(count))
      }
    }
    out.family("symbolon_http_request_duration_seconds", "histogram", "From the request's head to the answer's end.")
    for (key, route) in routes { out.histogram("symbolon_http_request_duration_seconds", key.labels, route) }
    statusClasses(routes.map(\.value), into: &out)
    out.family("symbolon_http_refused_total", "counter", "Requests that the edge itself refused, by reason.")
    for reason in Self.refusals.sorted() {
      out.sample("symbolon_http_refused_total", [("reason", reason)], String(state.refused[reason] ?? 0))
    }
    out.one("symbolon_http_requests_in_flight", "gauge", "HTTP requests being answered.", String(state.inFlight))
    out.one("symbolon_http_connections", "gauge", "Open connections.", String(state.connections))
    out.one("symbolon_http_received_bytes_total", "counter", "Request bodies.", String(state.bytesReceived))
    out.one("symbolon_http_sent_bytes_total", "counter", "Response bodies.", String(state.bytesSent))
    out.one("symbolon_http_saturated_total", "counter", "Requests refused: all calls taken.", String(state.saturated))
    out.one("symbolon_http_disconnects_total", "counter", "Clients gone before the end.", String(state.disconnects))
    out.one("symbolon_calls_in_flight", "gauge", "Calls into the host that hold a thread.", String(callsInFlight))
    if let catalog { out.methods(of: catalog) }
    if let memory {
      out.one("process_resident_memory_bytes", "gauge", "Resident memory of the process.", String(memory.resident))
      out.one("process_start_time_seconds", "gauge", "Unix time of the process's start.", "\(memory.startedUnix)")
    }
    let uptime = (ContinuousClock.now - started) / .seconds(1)
    out.one("symbolon_edge_uptime_seconds", "gauge", "Since this edge was started.", "\(uptime)")
    return out.text
  }

  private func statusClasses(_ routes: [Route], into out: inout MetricsText) {
    var classes = [UInt64](repeating: 0, count: 6)
    for route in routes { for (status, count) in route.byStatus { classes[min(max(status / 100, 0), 5)] += count } }
    out.family("symbolon_http_responses_total", "counter", "HTTP answers by class of status.")
    for number in 1...5 {
      out.sample("symbolon_http_responses_total", [("class", "\(number)xx")], String(classes[number]))
    }
  }
}

extension Metrics.RouteKey {
  var labels: [(String, String)] { [("route", pattern), ("verb", verb)] }
}

/// Lines of the exposition format.
struct MetricsText {
  private(set) var text = ""

  mutating func family(_ name: String, _ type: String, _ help: String) {
    text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
  }

  mutating func one(_ name: String, _ type: String, _ help: String, _ value: String) {
    family(name, type, help)
    sample(name, [], value)
  }

  mutating func sample(_ name: String, _ labels: [(String, String)], _ value: String) {
    let labels = labels.map { "\($0.0)=\"\(Self.escape($0.1))\"" }.joined(separator: ",")
    text += labels.isEmpty ? "\(name) \(value)\n" : "\(name){\(labels)} \(value)\n"
  }

  mutating func histogram(_ name: String, _ labels: [(String, String)], _ route: Metrics.Route) {
    var total: UInt64 = 0
    for (index, count) in route.buckets.enumerated() {
      total += count
      let bound = index < Metrics.bounds.count ? "\(Metrics.bounds[index])" : "+Inf"
      sample(name + "_bucket", labels + [("le", bound)], String(total))
    }
    sample(name + "_sum", labels, "\(route.seconds)")
    sample(name + "_count", labels, String(total))
  }

  private static func escape(_ value: String) -> String {
    var out = ""
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\\": out += "\\\\"
      case "\"": out += "\\\""
      case "\n": out += "\\n"
      default: out.unicodeScalars.append(scalar)
      }
    }
    return out
  }
}

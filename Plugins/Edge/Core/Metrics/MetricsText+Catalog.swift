/// What the host counted of each method, from its catalog.
extension MetricsText {
  mutating func methods(of catalog: Catalog) {
    family("symbolon_plugin_info", "gauge", "One for each plugin; the labels say which build serves, and where.")
    for layer in catalog.plugins {
      let labels = [("plugin", layer.id), ("version", layer.version)] + place(layer)
      sample("symbolon_plugin_info", labels + (layer.state.map { [("state", $0)] } ?? []), "1")
    }
    each(catalog, "symbolon_method_calls_total", "counter", "Calls of a method, however they came.") { $0.calls }
    each(catalog, "symbolon_method_errors_total", "counter", "Calls that ended with a status other than ok.") {
      $0.errors
    }
    each(catalog, "symbolon_method_in_flight", "gauge", "Calls that run now.") { $0.inFlight }
    latencies(catalog)
  }

  private mutating func each(
    _ catalog: Catalog, _ name: String, _ type: String, _ help: String, _ value: (Catalog.Method) -> UInt64?
  ) {
    var isDeclared = false
    for layer in catalog.plugins {
      for method in layer.methods {
        guard let value = value(method) else { continue }
        if !isDeclared { family(name, type, help) }
        isDeclared = true
        sample(name, labels(layer, method), String(value))
      }
    }
  }

  private mutating func latencies(_ catalog: Catalog) {
    let name = "symbolon_method_duration_seconds"
    var isDeclared = false
    for layer in catalog.plugins {
      for method in layer.methods {
        guard let latency = method.latency else { continue }
        if !isDeclared { family(name, "histogram", "From the call to its result.") }
        isDeclared = true
        let labels = labels(layer, method)
        // Calls that end while the catalog is written may be in one figure and not yet in the other.
        var total: UInt64 = 0
        for bucket in latency.buckets where bucket.count == 2 && bucket[0] < UInt64(Int64.max) {
          total = max(total, bucket[1])
          sample(name + "_bucket", labels + [("le", "\(Double(bucket[0]) / 1e9)")], String(total))
        }
        total = max(total, latency.count)
        sample(name + "_bucket", labels + [("le", "+Inf")], String(total))
        sample(name + "_sum", labels, "\(Double(latency.sumNanoseconds) / 1e9)")
        sample(name + "_count", labels, String(total))
      }
    }
  }

  private func labels(_ layer: Catalog.Layer, _ method: Catalog.Method) -> [(String, String)] {
    [("plugin", layer.id), ("method", method.name)] + place(layer)
  }

  private func place(_ layer: Catalog.Layer) -> [(String, String)] {
    (layer.home.map { [("home", $0)] } ?? []) + (layer.generation.map { [("generation", String($0))] } ?? [])
  }
}

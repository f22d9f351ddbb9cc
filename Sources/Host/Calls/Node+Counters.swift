import Synchronization

/// What was counted of one method, at one moment.
package struct MethodCount: Equatable, Sendable {
  package var plugin: String
  package var generation: UInt64
  package var home: String
  /// One of `PluginState`.
  package var state: String
  package var name: String
  package var calls: UInt64
  package var errors: UInt64
  package var inFlight: UInt64
  package var latency: Histogram.Snapshot

  package init(
    plugin: String, generation: UInt64, home: String, name: String, calls: UInt64, errors: UInt64, inFlight: UInt64,
    latency: Histogram.Snapshot, state: String = PluginState.running.rawValue
  ) {
    (self.plugin, self.generation, self.home, self.name) = (plugin, generation, home, name)
    (self.calls, self.errors, self.inFlight, self.latency) = (calls, errors, inFlight, latency)
    self.state = state
  }

  package var id: String { "\(plugin).\(name)" }

  /// Every bucket that holds something: finer than the catalog, so that `top` can show the time between two readings.
  package var json: JSONValue {
    .object([
      "plugin": .string(plugin), "generation": .unsigned(generation), "home": .string(home),
      "state": .string(state), "name": .string(name),
      "calls": .unsigned(calls), "errors": .unsigned(errors), "in_flight": .unsigned(inFlight),
      "sum_ns": .unsigned(latency.sum),
      "buckets": .array(
        latency.counts.enumerated().filter { $0.element > 0 }.map {
          .array([.unsigned(UInt64($0.offset)), .unsigned($0.element)])
        }),
    ])
  }

  package init?(json: JSONValue) {
    guard let plugin = json[key: "plugin"]?.string, let name = json[key: "name"]?.string else { return nil }
    var counts = [UInt64](repeating: 0, count: Histogram.bucketCount)
    for row in json[key: "buckets"]?.array ?? [] {
      guard let pair = row.array, pair.count == 2, let index = pair[0].unsigned, let number = pair[1].unsigned,
        index < UInt64(counts.count)
      else { return nil }
      counts[Int(index)] = number
    }
    func number(_ key: String) -> UInt64 { json[key: key]?.unsigned ?? 0 }
    self.init(
      plugin: plugin, generation: number("generation"), home: json[key: "home"]?.string ?? "?", name: name,
      calls: number("calls"), errors: number("errors"), inFlight: number("in_flight"),
      latency: Histogram.Snapshot(counts: counts, sum: number("sum_ns")), state: json[key: "state"]?.string ?? "?")
  }
}

extension Node {
  /// What was counted of every method that can be called now.
  var counts: [MethodCount] {
    runningLayers.flatMap { layer -> [MethodCount] in
      guard let generation = layer.generation else { return [] }
      let state = state(of: layer, generation).state.rawValue
      return generation.description.methods.compactMap { generation.methods[$0.signature.name] }.map { method in
        let latency = method.counters.latency.snapshot()
        let calls = method.counters.calls.load(ordering: .relaxed)
        return MethodCount(
          plugin: layer.id, generation: generation.number, home: generation.home.kind.rawValue,
          name: method.signature.name, calls: calls, errors: method.counters.errors.load(ordering: .relaxed),
          inFlight: calls > latency.count ? calls - latency.count : 0, latency: latency, state: state)
      }
    }
  }
}

import EdgeCore
import FoundationEssentials
import Testing

@Suite struct PageTests {
  @Test func thePageEscapesWhatLayersSay() async throws {
    try await RunningEdge.with { edge async throws in
      let answer = try await edge.ask("GET", "/")
      #expect(answer.status == 200)
      #expect(answer.headers["content-type"] == "text/html; charset=utf-8")
      #expect(answer.headers["content-security-policy"]?.contains("default-src 'none'") == true)
      #expect(answer.text.contains("Accounts &amp; &lt;credits&gt;"))
      #expect(!answer.text.contains("<credits>"))
    }
  }

  @Test func healthIsJSON() async throws {
    struct Health: Decodable { var status: String, version: String }
    try await RunningEdge.with { edge async throws in
      let answer = try await edge.ask("GET", "/health")
      let health = try JSONDecoder().decode(Health.self, from: Data(answer.bytes))
      #expect((health.status, health.version) == ("ok", "0.1.0"))
      let head = try await edge.ask("HEAD", "/health")
      // The answer counts the seconds: it may have grown by a digit meanwhile.
      let after = try await edge.ask("GET", "/health")
      let lengths = [answer, after].map { $0.headers["content-length"] }
      #expect(lengths.contains(head.headers["content-length"]) && head.headers["content-length"] != nil)
    }
  }

  @Test(arguments: [("failed", false), ("quarantined", false), ("disabled", true), ("probation", true)])
  func aLayerThatFailsIsSeenAtAGlance(_ state: String, _ isWell: Bool) async throws {
    var catalog = Catalog.sample
    catalog.plugins[1].state = state
    try await RunningEdge.with(FakeDispatcher(catalog: catalog)) { edge async throws in
      let health = try await edge.ask("GET", "/health")
      #expect(health.status == 200 && health.text.contains("\"status\":\"\(isWell ? "ok" : "degraded")\""))
      #expect(health.text.contains("\"state\":\"\(state)\""))
      let page = try await edge.ask("GET", "/")
      #expect(page.text.contains("Not well: application.") == !isWell)
      #expect(page.text.contains(state))
    }
  }

  @Test func openAPIListsEveryMethodAndRoute() async throws {
    struct Document: Decodable {
      struct Operation: Decodable { var operationId: String }
      var openapi: String
      var paths: [String: [String: Operation]]
    }
    try await RunningEdge.with { edge async throws in
      let answer = try await edge.ask("GET", "/openapi.json")
      #expect(answer.headers["content-type"] == "application/json")
      let document = try JSONDecoder().decode(Document.self, from: Data(answer.bytes))
      #expect(document.openapi == "3.1.0")
      for layer in Catalog.sample.plugins {
        for method in layer.methods {
          #expect(document.paths["/v1/methods/\(layer.id).\(method.name)"]?["post"] != nil)
        }
        for route in layer.routes ?? [] { #expect(document.paths[route.path]?[route.verb.lowercased()] != nil) }
      }
      let ids = document.paths.values.flatMap { $0.values.map(\.operationId) }
      #expect(Set(ids).count == ids.count)
    }
  }

  @Test func metricsAreInPrometheusText() async throws {
    let fake = FakeDispatcher(methods: ["ledger.balance": { _, write in try write("{}") }])
    try await RunningEdge.with(fake) { edge async throws in
      _ = try await edge.ask("POST", "/v1/methods/ledger.balance", body: "{}")
      _ = try await edge.ask("GET", "/made-up-by-a-client")
      let answer = try await edge.ask("GET", "/metrics")
      #expect(answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
      let lines = answer.text.split(separator: "\n")
      #expect(lines.contains(#"symbolon_http_requests_total{route="/v1/methods/{method}",verb="POST",status="200"} 1"#))
      #expect(lines.contains(#"symbolon_method_calls_total{plugin="ledger",method="balance"} 7"#))
      #expect(lines.contains("symbolon_http_requests_in_flight 1"))
      #expect(!answer.text.contains("made-up"))
      #expect(answer.text.contains("process_resident_memory_bytes "))
      checkFormat(lines.map(String.init))
    }
  }

  @Test func whatTheHostCountedIsShownByPlaceAndGeneration() {
    var catalog = Catalog.sample
    catalog.plugins[0].home = "worker"
    catalog.plugins[0].generation = 3
    catalog.plugins[0].methods[0].inFlight = 2
    catalog.plugins[0].methods[0].latency = .init(
      count: 9, sumNanoseconds: 1_500_000_000, buckets: [[1000, 4], [2_000_000, 8], [.max, 9]])
    let text = Metrics().text(catalog: catalog, callsInFlight: 0, memory: nil)
    let place = #"plugin="ledger",method="balance",home="worker",generation="3""#
    for line in [
      "symbolon_method_calls_total{\(place)} 7", "symbolon_method_in_flight{\(place)} 2",
      "symbolon_method_duration_seconds_bucket{\(place),le=\"1e-06\"} 4",
      "symbolon_method_duration_seconds_bucket{\(place),le=\"0.002\"} 8",
      "symbolon_method_duration_seconds_bucket{\(place),le=\"+Inf\"} 9",
      "symbolon_method_duration_seconds_sum{\(place)} 1.5", "symbolon_method_duration_seconds_count{\(place)} 9",
    ] { #expect(text.contains(line + "\n"), "\(line)") }
    checkFormat(text.split(separator: "\n").map(String.init))
    #expect(!Metrics().text(catalog: .sample, callsInFlight: 0, memory: nil).contains("method_duration"))
  }

  /// Every sample follows the TYPE of its family, labels are quoted, buckets only grow.
  private func checkFormat(_ lines: [String]) {
    var families: Set<String> = []
    var bucket: [String: UInt64] = [:]
    for line in lines where !line.hasPrefix("# HELP") {
      if line.hasPrefix("# TYPE ") {
        let words = line.split(separator: " ")
        #expect(words.count == 4)
        #expect(families.insert(String(words[2])).inserted, "declared twice: \(line)")
        continue
      }
      let name = String(line.prefix { $0 != "{" && $0 != " " })
      let family = ["_bucket", "_sum", "_count"].reduce(name) { $0.hasSuffix($1) ? String($0.dropLast($1.count)) : $0 }
      #expect(families.contains(name) || families.contains(family), "no TYPE for \(line)")
      #expect(line.split(separator: " ").last.flatMap { Double($0) } != nil, "no value in \(line)")
      guard name.hasSuffix("_bucket"), let le = line.firstRange(of: ",le=\""),
        let value = line.split(separator: " ").last
      else { continue }
      let series = String(line[..<le.lowerBound])
      #expect(UInt64(value)! >= bucket[series, default: 0])
      bucket[series] = UInt64(value)!
    }
  }
}

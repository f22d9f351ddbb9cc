import Host
import Testing

@Suite struct TableTests {
  @Test func noLineIsWiderThanTheTerminal() {
    var random = SplitMix(seed: 5)
    for _ in 0..<500 {
      var table = Table()
      table.add("NAME", least: 8)
      table.addNumber("COUNT")
      table.add("WHAT", least: 4)
      for _ in 0..<Int(random.next() % 5) {
        table.append([
          String(repeating: "a", count: Int(random.next() % 120)), String(random.next()),
          String(repeating: "é", count: Int(random.next() % 200)),
        ])
      }
      for line in table.text().split(separator: "\n") { #expect(line.count <= 80) }
    }
  }

  @Test func numbersStandAtTheRightAndWhatIsCutEndsWithAnEllipsis() {
    var table = Table()
    table.add("NAME", least: 6)
    table.addNumber("N")
    table.append(["short", "7"])
    table.append(["a name that is too long", "1234"])
    #expect(table.text(width: 20) == "NAME               N\nshort              7\na name that i…  1234")
  }

  @Test func aPluginsTextDoesNotSteerTheTerminal() {
    let text = Table(["A", "B"], [["\u{1b}[2J", "x\ny\u{9b}z"]]).text()
    #expect(!text.contains("\u{1b}") && text.split(separator: "\n").count == 2 && !text.contains("\u{9b}"))
  }

  @Test(arguments: [
    (UInt64(0), "0ns"), (999, "999ns"), (1000, "1µs"), (1_550, "1.6µs"), (123_456, "123µs"), (9_960_000, "10ms"),
    (2_100_000_000, "2.1s"),
  ])
  func durationsAreShort(_ nanoseconds: UInt64, _ text: String) {
    #expect(Readable.duration(nanoseconds) == text)
  }

  @Test(arguments: [(UInt64(9999), "9999"), (12_345, "12k"), (3_400_000, "3.4M"), (.max, "18446744074G")])
  func countsAreShort(_ number: UInt64, _ text: String) { #expect(Readable.count(number) == text) }

  @Test func swappedLettersAreOneSlip() {
    #expect(Spelling.distance("thrid", "third") == 1 && Spelling.distance("statsu", "status") == 1)
    #expect(Spelling.distance("", "abc") == 3 && Spelling.distance("kitten", "sitting") == 3)
    #expect(Spelling.nearest(to: "ledgre", in: ["edge", "ledger"]) == "ledger")
  }

  // MARK: top

  private func reading(_ durations: [UInt64], at nanoseconds: UInt64, calls: UInt64? = nil) -> TopReading {
    let histogram = Histogram()
    for duration in durations { histogram.record(duration) }
    let method = MethodCount(
      plugin: "org.example.a_plugin_with_a_long_name", generation: 12, home: "worker",
      name: "a_method_with_a_long_name",
      calls: calls ?? UInt64(durations.count), errors: 3, inFlight: 1, latency: histogram.snapshot())
    return TopReading(nanoseconds: nanoseconds, uptime: 10_000, version: "0.1.0", methods: [method])
  }

  @Test func topShowsTheTimeBetweenTwoReadings() throws {
    let first = reading(Array(repeating: 1000, count: 100), at: 1_000_000_000)
    let second = reading(
      Array(repeating: 1000, count: 100) + Array(repeating: 1_000_000, count: 50), at: 3_000_000_000)
    let row = try #require(TopReport(second, since: first, all: false).rows.first)
    let p50 = try #require(row.p50)
    #expect(row.rate == 25 && (900_000...1_250_000).contains(p50))
    let whole = try #require(TopReport(second, since: nil, all: false).rows.first)
    let wholeP50 = try #require(whole.p50)
    #expect(whole.rate == 15 && (900...1250).contains(wholeP50))
    let fresh = try #require(TopReport(first, since: second, all: false).rows.first)
    #expect(fresh.rate >= 0, "a node that was started again counts from zero")
  }

  @Test func topFitsTheTerminalAndItsHeight() {
    let table = TopReport(reading([1000], at: 1), since: nil, all: false).table(width: 80, height: 24)
    for line in table.split(separator: "\n") { #expect(line.count <= 80) }
    #expect(table.contains("…"))
  }

  @Test func aCountSurvivesTheControlSocket() throws {
    let count = try #require(reading([70, 900, 1 << 60], at: 1).methods.first)
    #expect(MethodCount(json: try JSONValue(parsing: Array(count.json.text.utf8))) == count)
    #expect(MethodCount(json: .object(["plugin": .string("a")])) == nil)
  }
}

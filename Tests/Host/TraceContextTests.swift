import CCalls
import Host
import Testing

@Suite struct TraceContextTests {
  @Test func anIDHoldsForItsPartOnlyAndNests() {
    let (outer, inner) = ([UInt8](repeating: 0xab, count: 16), [UInt8](repeating: 0x01, count: 16))
    #expect(TraceContext.current == nil)
    TraceContext.with(traceID: outer) {
      #expect(TraceContext.current == String(repeating: "ab", count: 16))
      TraceContext.with(traceID: inner) { #expect(TraceContext.current == String(repeating: "01", count: 16)) }
      #expect(TraceContext.current == String(repeating: "ab", count: 16))
    }
    #expect(TraceContext.current == nil)
  }

  @Test(arguments: [[UInt8](repeating: 0, count: 16), [1, 2, 3], []])
  func noIDIsNone(_ id: [UInt8]) {
    TraceContext.with(traceID: id) { #expect(TraceContext.current == nil) }
  }

  @Test func freshIDsDifferAndThoseInsideACallAreTheCalls() {
    var seen: Set<[UInt8]> = []
    for _ in 0..<10_000 {
      var id = [UInt8](repeating: 0, count: 16)
      symbolon_trace_fill(&id)
      seen.insert(id)
    }
    #expect(seen.count == 10_000)
    TraceContext.with(traceID: Array(1...16)) {
      var id = [UInt8](repeating: 0, count: 16)
      symbolon_trace_fill(&id)
      #expect(id == Array(1...16))
    }
  }

  @Test func ticksKeepPaceWithTheMonotonicClock() {
    symbolon_ticks_prepare()
    let clock = ContinuousClock()
    let start = symbolon_ticks_now()
    let passed = clock.measure { while symbolon_ticks_since(start) < 20_000_000 {} }
    #expect(passed > .milliseconds(19) && passed < .seconds(2))
    #expect(symbolon_ticks_since(.max) == 0, "a counter that ran backwards")
  }
}

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
    // What the clock says around the ticks is at least as much, what it says between them at most as much, however long
    // this thread is held up anywhere.
    let clock = ContinuousClock()
    let before = clock.now
    let start = symbolon_ticks_now()
    let after = clock.now
    while symbolon_ticks_since(start) < 20_000_000 {}
    let last = clock.now
    let ticks = Duration.nanoseconds(Int64(symbolon_ticks_since(start)))
    #expect(ticks <= (clock.now - before) * 1.01 && ticks >= (last - after) * 0.99)
    #expect(symbolon_ticks_since(.max) == 0, "a counter that ran backwards")
  }
}

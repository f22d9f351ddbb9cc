import Host
import Testing

@Suite struct MethodCountersTests {
  @Test func everyDurationLiesBelowItsBucketsBoundAndAboveTheOneBefore() {
    var random = SplitMix(seed: 11)
    for _ in 0..<100_000 {
      let duration = random.next() >> (random.next() % 64)
      let index = Histogram.index(of: duration)
      if index < Histogram.bucketCount - 1 { #expect(duration < Histogram.upperBound(of: index)) }
      if index > 0 { #expect(duration >= Histogram.upperBound(of: index - 1)) }
    }
    #expect(Histogram.index(of: 0) == 0 && Histogram.index(of: .max) == Histogram.bucketCount - 1)
  }

  @Test func boundsGrowByAtMostAQuarter() {
    for index in 1..<Histogram.bucketCount - 1 {
      let (lower, upper) = (Histogram.upperBound(of: index - 1), Histogram.upperBound(of: index))
      #expect(upper > lower && Double(upper) / Double(lower) <= 1.25)
    }
  }

  /// Against sorting all durations: within the width of a bucket.
  @Test func percentilesAreThoseOfTheSortedDurations() throws {
    var random = SplitMix(seed: 12)
    let histogram = Histogram()
    var all: [UInt64] = []
    for _ in 0..<20_000 {
      let duration = 200 + random.next() % (1 << (10 + random.next() % 16))
      histogram.record(duration)
      all.append(duration)
    }
    all.sort()
    let snapshot = histogram.snapshot()
    #expect(snapshot.count == 20_000 && snapshot.sum == all.reduce(0, +))
    for share in [0.01, 0.5, 0.9, 0.99, 1] {
      let exact = Double(all[Int(Double(all.count) * share) - 1])
      let found = Double(try #require(snapshot.percentile(share)))
      #expect(found / exact < 1.26 && exact / found < 1.26, "\(share): \(found), exactly \(exact)")
    }
  }

  @Test func cumulativeCountsNeverFallAndHoldEveryShortCall() {
    let histogram = Histogram()
    for power in 0..<64 { histogram.record(1 << UInt64(power)) }
    let rows = histogram.snapshot().cumulative
    #expect(rows.map(\.bound) == (4..<19).map { 1 << UInt64($0 * 2) })
    for (bound, count) in rows { #expect(count == UInt64(bound.trailingZeroBitCount)) }
  }

  @Test func theTimeBetweenTwoMomentsIsTheirDifference() {
    let histogram = Histogram()
    histogram.record(1000)
    let before = histogram.snapshot()
    histogram.record(5000)
    let between = histogram.snapshot().since(before)
    #expect(between.count == 1 && between.sum == 5000)
    #expect(Histogram().snapshot().percentile(0.5) == nil)
  }

  @Test func nothingIsLostWhenManyThreadsCount() async {
    let histogram = Histogram()
    await withTaskGroup(of: Void.self) { group in
      for seed in 0..<4 {
        group.addTask {
          var random = SplitMix(seed: UInt64(seed))
          for _ in 0..<50_000 { histogram.record(random.next() >> 40) }
        }
      }
    }
    #expect(histogram.snapshot().count == 200_000)
  }
}

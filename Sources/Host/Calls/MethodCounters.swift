import CCalls
import Synchronization

/// What is counted of a method, over all its generations; several threads count without a lock.
package final class MethodCounters: Sendable {
  /// Calls that have begun.
  package let calls = Atomic<UInt64>(0)
  /// Calls that ended with a status other than ok.
  package let errors = Atomic<UInt64>(0)
  /// How long the calls took that have ended.
  package let latency = Histogram()

  package init() {}

  /// Calls that run now.
  package var inFlight: UInt64 {
    // Ended calls are read first: they never outnumber those that had begun when these are read.
    let ended = latency.snapshot().count
    let begun = calls.load(ordering: .sequentiallyConsistent)
    return begun > ended ? begun - ended : 0
  }

  /// Counts the call that `body` makes; it gets the ticks at which the call began.
  @inline(__always)
  func measure(_ body: (UInt64) -> Int32) -> Int32 {
    calls.wrappingAdd(1, ordering: .relaxed)
    let start = symbolon_ticks_now()
    let status = body(start)
    latency.record(symbolon_ticks_since(start))
    if status != 0 { errors.wrappingAdd(1, ordering: .relaxed) }
    return status
  }
}

/// Durations in buckets of fixed bounds, four to each doubling, from 64 ns to 137 s.
package final class Histogram: @unchecked Sendable {  // Proof: the memory is made in init and holds atomics.
  private let buckets: UnsafeMutablePointer<Atomic<UInt64>>
  private let sum = Atomic<UInt64>(0)

  /// Bits of the least and the greatest bound.
  private static let (low, high) = (6, 37)
  /// The last one takes everything longer.
  package static let bucketCount = (high - low) * 4 + 1

  package init() {
    buckets = .allocate(capacity: Self.bucketCount)
    for index in 0..<Self.bucketCount { (buckets + index).initialize(to: Atomic(0)) }
  }

  deinit {
    buckets.deinitialize(count: Self.bucketCount)
    buckets.deallocate()
  }

  /// Counts one duration.
  @inline(__always)
  package func record(_ nanoseconds: UInt64) {
    (buckets + Self.index(of: nanoseconds)).pointee.wrappingAdd(1, ordering: .relaxed)
    sum.wrappingAdd(nanoseconds, ordering: .relaxed)
  }

  /// The bucket of a duration: which doubling, and which quarter of it.
  @inline(__always)
  package static func index(of nanoseconds: UInt64) -> Int {
    let value = max(nanoseconds, 1 << UInt64(low))
    let bit = 63 - value.leadingZeroBitCount
    guard bit < high else { return bucketCount - 1 }
    return (bit - low) * 4 + Int((value >> UInt64(bit - 2)) & 3)
  }

  /// The first duration that lies above a bucket.
  package static func upperBound(of index: Int) -> UInt64 {
    let (doubling, quarter) = (UInt64(low + index / 4), UInt64(index % 4))
    return (1 << doubling) + (quarter + 1) << (doubling - 2)
  }

  /// What was counted until now.
  package func snapshot() -> Snapshot {
    Snapshot(
      counts: (0..<Self.bucketCount).map { (buckets + $0).pointee.load(ordering: .acquiring) },
      sum: sum.load(ordering: .relaxed))
  }

  /// The counts of one moment, or of the time between two.
  package struct Snapshot: Equatable, Sendable {
    package var counts: [UInt64]
    package var sum: UInt64

    package init(counts: [UInt64], sum: UInt64) { (self.counts, self.sum) = (counts, sum) }

    package var count: UInt64 { counts.reduce(0, +) }

    /// What came since `earlier`.
    package func since(_ earlier: Snapshot) -> Snapshot {
      Snapshot(counts: zip(counts, earlier.counts).map { $0 > $1 ? $0 - $1 : 0 }, sum: sum &- earlier.sum)
    }

    /// Two methods' durations together.
    package static func + (a: Snapshot, b: Snapshot) -> Snapshot {
      Snapshot(counts: zip(a.counts, b.counts).map { $0 &+ $1 }, sum: a.sum &+ b.sum)
    }

    /// The duration that this share of all calls did not exceed, within a bucket's width; nil without calls.
    package func percentile(_ share: Double) -> UInt64? {
      let rank = max(1, UInt64((Double(count) * share).rounded(.up)))
      var seen: UInt64 = 0
      for (index, number) in counts.enumerated() where number > 0 {
        guard seen + number >= rank else {
          seen += number
          continue
        }
        guard index < Histogram.bucketCount - 1 else { return Histogram.upperBound(of: index - 1) }
        let lower = index == 0 ? 0 : Histogram.upperBound(of: index - 1)
        let width = Histogram.upperBound(of: index) - lower
        return lower + UInt64(Double(width) * Double(rank - seen) / Double(number))
      }
      return nil
    }

    /// Bounds that are the same at every reading, each with how many calls took no longer.
    package var cumulative: [(bound: UInt64, count: UInt64)] {
      var rows: [(UInt64, UInt64)] = []
      var seen: UInt64 = 0
      for (index, number) in counts.dropLast().enumerated() {
        seen += number
        let bound = Histogram.upperBound(of: index)
        // Powers of four from 256 ns to 69 s.
        if bound.nonzeroBitCount == 1, bound >= 256, bound.trailingZeroBitCount.isMultiple(of: 2) {
          rows.append((bound, seen))
        }
      }
      return rows
    }

    /// As `services/catalog.h` gives it, with two percentiles for people.
    package var json: JSONValue {
      var members: [String: JSONValue] = [
        "count": .unsigned(count), "sum_ns": .unsigned(sum),
        "buckets": .array(cumulative.map { .array([.unsigned($0.bound), .unsigned($0.count)]) }),
      ]
      members["p50_ns"] = percentile(0.5).map { .unsigned($0) }
      members["p99_ns"] = percentile(0.99).map { .unsigned($0) }
      return .object(members)
    }
  }
}

/// What one key may ask for in a minute and at once.
package struct RateLimit: Equatable, Sendable {
  package var requestsPerMinute: UInt64
  package var concurrent: Int

  package init(requestsPerMinute: UInt64 = 600, concurrent: Int = 16) {
    self.requestsPerMinute = max(1, requestsPerMinute)
    self.concurrent = max(1, concurrent)
  }
}

/// Where a key stands after a request: what the `x-ratelimit-*` headers say.
package struct RateStanding: Equatable, Sendable {
  package var limit: UInt64
  package var remaining: UInt64
  /// Until the whole limit is free again.
  package var resetMilliseconds: UInt64
}

/// A token bucket in thousandths of a request, filled as time passes.
struct RateBucket {
  private let limit: RateLimit
  /// Filling `requestsPerMinute` requests takes 60,000 ms, so a level in 1/60,000 requests needs no fractions.
  private var level: UInt64
  private var filledAt: UInt64
  var running = 0

  private static let unit: UInt64 = 60_000

  init(_ limit: RateLimit, now: UInt64) {
    self.limit = limit
    level = limit.requestsPerMinute * Self.unit
    filledAt = now
  }

  private var capacity: UInt64 { limit.requestsPerMinute * Self.unit }

  private mutating func fill(_ now: UInt64) {
    let elapsed = min(now > filledAt ? now - filledAt : 0, Self.unit)
    level = min(capacity, level + elapsed * limit.requestsPerMinute)
    filledAt = max(filledAt, now)
  }

  func standing() -> RateStanding {
    RateStanding(
      limit: limit.requestsPerMinute, remaining: level / Self.unit,
      resetMilliseconds: (capacity - level + limit.requestsPerMinute - 1) / limit.requestsPerMinute)
  }

  /// Takes one request out of the bucket, or says how many milliseconds are missing until that can be done.
  mutating func take(_ now: UInt64) -> UInt64? {
    fill(now)
    guard level >= Self.unit else {
      return (Self.unit - level + limit.requestsPerMinute - 1) / limit.requestsPerMinute
    }
    level -= Self.unit
    return nil
  }

  /// Whether forgetting the bucket would change nothing.
  func isFull(at now: UInt64) -> Bool {
    var filled = self
    filled.fill(now)
    return filled.level == capacity && running == 0
  }
}

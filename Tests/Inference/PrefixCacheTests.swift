import InferenceCore
import Testing

/// The cache of prefixes over pages that hold nothing, four positions each.
@Suite struct PrefixCacheTests {
  private final class Page {}

  private let budget = PageBudget(limit: 80)
  private let pool: PagePool<Page>
  private let cache: PrefixCache<Page>

  init() {
    pool = PagePool(pageBytes: 10, budget: budget) { () throws(InferenceError) in Page() }
    cache = PrefixCache(pool, positionsOfPage: 16)
  }

  private func tokens(_ count: Int, _ first: Int32 = 0) -> [Int32] { (0..<Int32(count)).map { first + $0 } }

  /// Enters the whole pages of a sequence and lets them go, as one that has ended.
  private func enter(_ text: [Int32], leaves: Bool = false, now: UInt64 = 1) throws {
    var parent = PageKey.start
    var held: [SharedPage<Page>] = []
    for start in stride(from: 0, to: text.count, by: 16) {
      let part = Array(text[start..<min(start + 16, text.count)])
      let page = try #require(try pool.take())
      let own = leaves ? part.flatMap { [UInt8](repeating: UInt8(truncatingIfNeeded: $0), count: 32) } : nil
      if part.count == 16 {
        let (key, kept) = cache.remember(whole: page, tokens: part, after: parent, leaves: own, now: now)
        parent = key
        held.append(kept)
      } else {
        cache.remember(part: page, tokens: part, after: parent, leaves: own, now: now)
        held.append(page)
      }
    }
    for page in held { pool.letGo(page) }
  }

  private func release(_ match: PrefixCache<Page>.Match) { for page in match.pages { pool.letGo(page) } }

  @Test func wholePagesAreSharedAndTheRestIsCopied() throws {
    try enter(tokens(44))
    let match = cache.match(tokens(100), limit: 99, leaves: false, now: 2)
    #expect(match.pages.count == 2 && match.tail?.count == 12)
    release(match)
    let shorter = cache.match(tokens(44), limit: 31, leaves: false, now: 2)
    #expect(shorter.pages.count == 1 && shorter.tail?.count == 15, "a whole page may be copied in part")
    release(shorter)
    var other = tokens(44)
    other[20] = 999
    let parting = cache.match(other, limit: 43, leaves: false, now: 3)
    #expect(parting.pages.count == 1 && parting.tail == nil)
    release(parting)
    #expect(cache.match(tokens(44, 7), limit: 43, leaves: false, now: 4).pages.isEmpty)
  }

  @Test func sameContentIsHeldOnce() throws {
    try enter(tokens(32))
    try enter(tokens(32))
    #expect(cache.count == 2 && pool.held == 2)
  }

  @Test func longerPartReplacesTheShorter() throws {
    try enter(tokens(9))
    try enter(tokens(12))
    #expect(cache.count == 1)
    try enter(tokens(10))
    #expect(cache.count == 1)
    #expect(cache.match(tokens(40), limit: 39, leaves: false, now: 2).tail?.count == 12)
    try enter(tokens(16))
    #expect(cache.count == 1 && pool.held == 1)
  }

  @Test func leavesComeAlongOrThePageIsNotUsed() throws {
    try enter(tokens(32))
    #expect(cache.match(tokens(40), limit: 39, leaves: true, now: 2).pages.isEmpty)
    try enter(tokens(40), leaves: true)
    let match = cache.match(tokens(44), limit: 43, leaves: true, now: 3)
    #expect(match.pages.count == 2 && match.tail?.count == 8)
    #expect(match.leaves == tokens(40).flatMap { [UInt8](repeating: UInt8($0), count: 32) })
    release(match)
    #expect(pool.held == cache.count)
  }

  @Test func leastRecentlyUsedGoesFirstAndParentsLast() throws {
    try enter(tokens(32), now: 1)
    try enter(tokens(16, 500), now: 2)
    release(cache.match(tokens(33), limit: 32, leaves: false, now: 3))
    #expect(cache.oldest == 2)
    #expect(cache.evict())
    #expect(cache.match(tokens(17, 500), limit: 16, leaves: false, now: 4).pages.isEmpty)
    let match = cache.match(tokens(33), limit: 32, leaves: false, now: 4)
    #expect(match.pages.count == 2)
    #expect(!cache.evict(), "what is held is not evicted")
    release(match)
    #expect(cache.evict())
    #expect(cache.match(tokens(33), limit: 32, leaves: false, now: 4).pages.count == 1)
    #expect(cache.evictable == 0)
  }

  @Test func budgetBoundsPagesAndComesBackWhole() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var dice = Dice(seed: seed)
    for round in 0..<500 {
      let text = tokens(Int.random(in: 1...60, using: &dice), Int32.random(in: 0...5, using: &dice) * 100)
      while budget.used + 40 > budget.limit, cache.evict() || pool.dropSpare() {}
      try enter(text, leaves: Bool.random(using: &dice), now: UInt64(round))
      #expect(budget.used <= budget.limit, "seed \(seed)")
      let limit = Int.random(in: 0..<max(text.count, 1), using: &dice)
      let match = cache.match(text, limit: limit, leaves: Bool.random(using: &dice), now: UInt64(round))
      #expect(match.pages.count * 16 + (match.tail?.count ?? 0) <= limit, "seed \(seed)")
      release(match)
    }
    cache.clear()
    pool.dropSpare()
    #expect(pool.held == 0 && budget.used == 0, "seed \(seed)")
  }
}

/// One loaded model in the scheduler: its session, its sequences, its pages.
///
/// `@unchecked Sendable`: made on the thread that loads the model, then handed to the scheduler's thread for good.
final class Lane: @unchecked Sendable {
  /// How the sequences of a model are run.
  struct Limits {
    /// Sequences in the making at once.
    var mostActive: Int
    var prefixCache: Bool
    var speculation: Bool
    /// A fixed number of guesses; nil for as many as pay.
    var guesses: Int?
  }

  /// Sequences whose prompts have as many tokens in common do not read them twice at the same time.
  private static let leastWaitedFor = 32

  let id: String
  let model: Model
  let session: Session
  let limits: Limits
  let pages: PagePool<KVPage>
  let prefixes: PrefixCache<KVPage>
  var waiting = FairQueue<TokenSequence>()
  var active: [TokenSequence] = []
  /// Sequences that gave their pages back, by arrival; they come before those that wait.
  private(set) var preempted: [TokenSequence] = []
  var planner = StepPlanner()
  var tuner = GuessTuner()
  var pace = Pace()
  /// Takes no more jobs; leaves the scheduler when the last has ended.
  var isLeaving = false

  init(
    id: String, model: Model, pool: WorkerPool, budget: PageBudget, limits: Limits, path: Int32?
  ) throws(InferenceError) {
    self.id = id
    self.model = model
    self.limits = limits
    session = try Session(model, pool: pool, logitRows: max(limits.mostActive, GuessTuner.most + 1), path: path)
    pages = PagePool(pageBytes: KVPage.byteCount(of: model), budget: budget) { () throws(InferenceError) in
      try KVPage(model)
    }
    prefixes = PrefixCache(pages, positionsOfPage: KVPage.positions)
  }

  /// Nothing runs and nothing waits.
  var isEmpty: Bool { active.isEmpty && preempted.isEmpty && waiting.isEmpty }

  /// Takes a sequence's pages until there is memory again; it will compute them anew, to the same bits.
  func preempt(_ sequence: TokenSequence, now: UInt64) {
    active.removeAll { $0 === sequence }
    release(sequence, now: now)
    sequence.restart()
    let place = preempted.firstIndex { $0.arrival > sequence.arrival } ?? preempted.endIndex
    preempted.insert(sequence, at: place)
  }

  /// The first of the preempted whose receiver keeps up.
  var nextPreempted: TokenSequence? { preempted.first { !$0.isPaused } }

  /// Makes a waiting or preempted sequence an active one.
  func activate(_ sequence: TokenSequence) {
    preempted.removeAll { $0 === sequence }
    active.append(sequence)
  }

  /// Takes out and returns the sequences that match, wherever they are; the second part never ran.
  ///
  /// Asks about each sequence once: a job may be cancelled at any moment, and one that is asked about twice could leave
  /// without giving its pages back.
  func removeAll(now: UInt64, where matches: (TokenSequence) -> Bool) -> (
    begun: [TokenSequence], unbegun: [TokenSequence]
  ) {
    var begun: [TokenSequence] = []
    func stays(_ sequence: TokenSequence) -> Bool {
      guard matches(sequence) else { return true }
      begun.append(sequence)
      return false
    }
    active = active.filter(stays)
    preempted = preempted.filter(stays)
    for sequence in begun { release(sequence, now: now) }
    return (begun, waiting.removeAll(where: matches))
  }

  /// Pages that only sequences hold whose receivers do not keep up: they give way to whoever needs memory.
  var idlePages: Int {
    active.reduce(0) { $1.isPaused ? $0 + $1.holding.pages.count { $0.holders == 1 } : $0 }
  }

  /// How many sequences a caller has running.
  func running(_ caller: String) -> Int { active.count { $0.job.caller == caller } }

  /// Whether the sequence had better wait: another reads the same beginning right now.
  func isBeingRead(_ sequence: TokenSequence) -> Bool {
    guard limits.prefixCache, sequence.isAnswer else { return false }
    return active.contains { other in
      guard other.isAnswer, !other.isPastPrompt, !other.isPaused, other !== sequence else { return false }
      let most = min(other.job.prompt.count, sequence.tokens.count - 1)
      var common = 0
      while common < most, other.tokens[common] == sequence.tokens[common] { common += 1 }
      return common >= Self.leastWaitedFor && common > other.cachedTokens + Self.leastWaitedFor
    }
  }

  /// Lets a sequence begin with what is known of its prefix.
  ///
  /// `page` gives a page for the copy of a partly matching one; nil when there is none.
  func begin(_ sequence: TokenSequence, now: UInt64, page: () throws(InferenceError) -> Holding.Page?)
    throws(InferenceError)
  {
    guard limits.prefixCache, sequence.isAnswer else { return sequence.begin(at: 0, leaves: []) }
    var match = prefixes.match(
      sequence.tokens, limit: sequence.tokens.count - 1, leaves: sequence.needsLeaves, now: now)
    sequence.holding.append(match.pages, keys: match.keys)
    var position = sequence.holding.capacity
    if let (source, count) = match.tail {
      // Held, so that making room for the copy does not forget it.
      pages.hold(source)
      defer { pages.letGo(source) }
      if let own = try page() {
        own.memory.copy(first: count, of: source.memory, model)
        sequence.holding.append(own)
        position += count
      } else {
        match.leaves.removeLast(min(match.leaves.count, count * Digest.size))
      }
    }
    sequence.begin(at: position, leaves: match.leaves)
  }

  /// Remembers the pages that a sequence has filled; with `part` also the one it is filling.
  func remember(_ sequence: TokenSequence, part: Bool, now: UInt64) {
    guard limits.prefixCache, sequence.isAnswer else { return }
    let size = KVPage.positions
    let holding = sequence.holding
    func leaves(_ range: Range<Int>) -> [UInt8]? {
      guard sequence.leaves.count >= range.upperBound * Digest.size else { return nil }
      return Array(sequence.leaves[range.lowerBound * Digest.size..<range.upperBound * Digest.size])
    }
    while (holding.keys.count + 1) * size <= sequence.computed {
      let range = holding.keys.count * size..<(holding.keys.count + 1) * size
      let (key, page) = prefixes.remember(
        whole: holding.pages[holding.keys.count], tokens: Array(sequence.tokens[range]),
        after: holding.keys.last ?? .start, leaves: leaves(range), now: now)
      holding.remembered(key, as: page)
    }
    let range = holding.keys.count * size..<sequence.computed
    guard part, !range.isEmpty, holding.pages.count > holding.keys.count else { return }
    prefixes.remember(
      part: holding.pages[holding.keys.count], tokens: Array(sequence.tokens[range]),
      after: holding.keys.last ?? .start, leaves: leaves(range), now: now)
  }

  /// Gives all memory for keys and values back; nothing may run any more.
  func close() {
    prefixes.clear()
    pages.dropSpare()
  }

  /// Takes a sequence's pages; what they hold stays in the prefix cache while there is room.
  func release(_ sequence: TokenSequence, now: UInt64, faulty: Bool = false) {
    if !faulty { remember(sequence, part: true, now: now) }
    sequence.holding.release(to: pages, discard: faulty)
  }
}

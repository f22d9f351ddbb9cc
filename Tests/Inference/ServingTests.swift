import InferenceCore
import Testing

/// The parts of serving that are pure: turns, queues, guesses.
@Suite struct ServingTests {
  typealias Candidate = StepPlanner.Candidate
  typealias Share = StepPlanner.Share

  @Test func answersComeBeforePrompts() {
    var planner = StepPlanner()
    let plan = planner.plan(
      [Candidate(arrival: 1, known: 500), Candidate(arrival: 2, known: 1), Candidate(arrival: 3, known: 1)],
      columns: 256, rows: 8)
    #expect(plan == [Share(arrival: 2, count: 1), Share(arrival: 3, count: 1), Share(arrival: 1, count: 64)])
  }

  @Test func promptAloneFillsTheStep() {
    var planner = StepPlanner()
    #expect(planner.plan([Candidate(arrival: 1, known: 900)], columns: 256, rows: 8) == [Share(arrival: 1, count: 256)])
    #expect(planner.plan([Candidate(arrival: 1, known: 100)], columns: 256, rows: 8) == [Share(arrival: 1, count: 100)])
  }

  @Test func promptsShareEquallyAndWhatIsLeftIsUsed() {
    var planner = StepPlanner()
    let plan = planner.plan(
      [Candidate(arrival: 1, known: 900), Candidate(arrival: 2, known: 10), Candidate(arrival: 3, known: 900)],
      columns: 256, rows: 8)
    #expect(Set(plan.map(\.arrival)) == [1, 2, 3])
    #expect(plan.reduce(0) { $0 + $1.count } == 256)
    #expect(plan.first { $0.arrival == 2 }?.count == 10)
    #expect(plan.allSatisfy { $0.count >= 10 })
  }

  @Test func noPromptStarvesBesideAnswersAndOtherPrompts() {
    var planner = StepPlanner()
    var left: [UInt64: Int] = Dictionary(uniqueKeysWithValues: (1...40).map { ($0, 300) })
    var waited: [UInt64: Int] = [:]
    var longest = 0
    while left.values.contains(where: { $0 > 0 }) {
      let prompts = left.filter { $0.value > 1 }.map { Candidate(arrival: $0.key, known: $0.value) }
      guard !prompts.isEmpty else { break }
      let answers = (100..<108).map { Candidate(arrival: $0, known: 1) }
      let plan = planner.plan(prompts + answers, columns: 256, rows: 16)
      #expect(plan.prefix(8).allSatisfy { $0.arrival >= 100 })
      let served = Set(plan.map(\.arrival))
      for prompt in prompts {
        waited[prompt.arrival] = served.contains(prompt.arrival) ? 0 : waited[prompt.arrival, default: 0] + 1
        longest = max(longest, waited[prompt.arrival] ?? 0)
      }
      for share in plan where share.arrival < 100 { left[share.arrival, default: 0] -= share.count }
    }
    // Four parts of 16 a step: each of 40 prompts has its turn at least every tenth step.
    #expect(longest <= 10)
  }

  @Test func planKeepsItsBounds() {
    let seed = UInt64.random(in: 0...UInt64.max)
    var dice = Dice(seed: seed)
    for _ in 0..<2000 {
      var planner = StepPlanner()
      let candidates = (0..<Int.random(in: 0...40, using: &dice)).map { index in
        Candidate(
          arrival: UInt64(index + 1), known: Bool.random(using: &dice) ? 1 : Int.random(in: 1...600, using: &dice),
          wantsRow: Int.random(in: 0...9, using: &dice) > 0, guesses: Int.random(in: 0...7, using: &dice))
      }
      let columns = Int.random(in: 1...256, using: &dice)
      let rows = Int.random(in: 1...32, using: &dice)
      let plan = planner.plan(candidates, columns: columns, rows: rows)
      let known = Dictionary(uniqueKeysWithValues: candidates.map { ($0.arrival, $0) })
      #expect(Set(plan.map(\.arrival)).count == plan.count, "seed \(seed)")
      #expect(plan.reduce(0) { $0 + $1.count + $1.guesses } <= columns, "seed \(seed)")
      let rowsUsed = plan.reduce(0) { sum, share in
        guard let candidate = known[share.arrival] else { return sum + 1000 }
        #expect(share.count >= 1 && share.count <= candidate.known && share.guesses <= candidate.guesses)
        return sum + (candidate.wantsRow && share.count == candidate.known ? 1 : 0) + share.guesses
      }
      #expect(rowsUsed <= rows, "seed \(seed)")
      #expect(candidates.isEmpty || !plan.isEmpty, "seed \(seed): somebody always moves")
    }
  }

  @Test func queueServesCallersInTurnAndEachInOrder() {
    var queue = FairQueue<Int>()
    for order in 0..<6 { queue.append(order, order: UInt64(order), caller: "busy") }
    queue.append(10, order: 10, caller: "quiet")
    queue.append(11, order: 11, caller: "quiet")
    var running: [String: Int] = [:]
    var taken: [Int] = []
    while let next = queue.next(running: { running[$0] ?? 0 }, { _ in .take }) {
      running[next >= 10 ? "quiet" : "busy", default: 0] += 1
      taken.append(next)
    }
    #expect(taken == [0, 10, 1, 11, 2, 3, 4, 5])
    #expect(queue.isEmpty)
  }

  @Test func queuePassesAndStops() {
    var queue = FairQueue<Int>()
    for order in 0..<4 { queue.append(order, order: UInt64(order), caller: "a") }
    #expect(queue.next(running: { _ in 0 }) { $0 < 2 ? .pass : .take } == 2)
    #expect(queue.next(running: { _ in 0 }) { _ in .stop } == nil)
    queue.append(2, order: 2, caller: "a")
    #expect(queue.removeAll { $0 % 2 == 1 }.sorted() == [1, 3])
    #expect(queue.count == 2)
    #expect(queue.next(running: { _ in 0 }) { _ in .take } == 0)
    #expect(queue.next(running: { _ in 0 }) { _ in .take } == 2)
  }

  @Test func lookupFindsWhatCameBefore() {
    var lookup = PromptLookup()
    let text: [Int32] = [1, 2, 3, 4, 5, 6, 7, 9, 2, 3, 4]
    #expect(Array(lookup.guess(after: text, most: 3)) == [5, 6, 7])
    #expect(Array(lookup.guess(after: text + [5], most: 2)) == [6, 7])
    #expect(lookup.guess(after: text + [5, 50], most: 3).isEmpty)
    #expect(lookup.guess(after: text + [5, 50], most: 0).isEmpty)
    var other = PromptLookup()
    #expect(other.guess(after: [1], most: 4).isEmpty)
    #expect(other.guess(after: [1, 2, 3], most: 4).isEmpty)
  }

  @Test func lookupAgreesWithASearch() {
    let seed = UInt64.random(in: 0...UInt64.max)
    var dice = Dice(seed: seed)
    var lookup = PromptLookup()
    var tokens: [Int32] = []
    for _ in 0..<600 {
      tokens.append(Int32.random(in: 0..<5, using: &dice))
      var expected: [Int32] = []
      search: for length in [4, 3, 2] where tokens.count > length {
        for end in stride(from: tokens.count - 1, through: length, by: -1)
        where tokens[end - length..<end] == tokens[(tokens.count - length)...] {
          expected = Array(tokens[end..<min(end + 5, tokens.count)])
          break search
        }
      }
      #expect(Array(lookup.guess(after: tokens, most: 5)) == expected, "seed \(seed)")
    }
  }

  @Test func guessesAreMadeWhereTheyPay() {
    var flat = GuessTuner()
    for columns in 1...16 { for _ in 0..<50 { flat.note(columns: columns, seconds: 0.010 + Double(columns) * 0.0001) } }
    #expect(flat.guesses(beside: 0, chance: 0.9, most: 7) == 7)
    var steep = GuessTuner()
    for columns in 1...16 { for _ in 0..<50 { steep.note(columns: columns, seconds: Double(columns) * 0.010) } }
    #expect(steep.guesses(beside: 0, chance: 0.9, most: 7) == 0)
    #expect(flat.guesses(beside: 0, chance: 0.001, most: 7) == 0)
    #expect(flat.guesses(beside: 0, chance: 0.9, most: 2) == 2)
  }

  @Test func guessingStopsWhereItFailsAndBeginsAgain() {
    var record = GuessRecord()
    for _ in 0..<60 { record.note(right: 0, of: 4) }
    #expect(record.chance < 0.01)
    var tried = 0
    for _ in 0..<1000 where record.mayGuess(pays: false) { tried += 1 }
    #expect(tried == 0)
    for _ in 0..<60 { record.note(right: 4, of: 4) }
    #expect(record.chance > 0.99)
  }
}

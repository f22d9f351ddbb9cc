import InferenceCore
import InferenceKernels
import Testing

/// The sampler against the one that reads like the text, on random rows and parameters.
@Suite struct SamplerTwinTests {
  private static let paths = (Int32(0)..<4).filter { symbolon_path_available($0) != 0 }

  /// A row of logits, of a kind that is hard in some way.
  private func row(_ count: Int, _ dice: inout Dice) -> [Float] {
    switch Int.random(in: 0..<8, using: &dice) {
    case 0: return (0..<count).map { _ in Float(Int.random(in: -3...3, using: &dice)) }  // ties
    case 1: return [Float](repeating: dice.float(-5...5), count: count)
    case 2: return (0..<count).map { _ in dice.float(-1...1) * 1e30 }
    case 3: return (0..<count).map { _ in [-0.0, 0.0, -0x1p-140, 0x1p-140][Int.random(in: 0..<4, using: &dice)] }
    case 4: return (0..<count).map { Float($0) * 0.01 }
    case 5: return (0..<count).map { Float(count - $0) * 0.01 }
    default:
      let spread = dice.float(0.1...15)
      return (0..<count).map { _ in (dice.float(-1...1) + dice.float(-1...1) + dice.float(-1...1)) * spread }
    }
  }

  private func parameters(_ count: Int, _ dice: inout Dice) -> SamplingParameters {
    func sometimes<Value>(_ value: Value, _ neutral: Value) -> Value { Bool.random(using: &dice) ? value : neutral }
    func number(_ range: ClosedRange<Double>) -> Double { Double.random(in: range, using: &dice) }
    var biases: [SamplingParameters.Bias] = []
    if Int.random(in: 0..<4, using: &dice) == 0 {
      let tokens = Set((0..<5).map { _ in Int32.random(in: 0..<Int32(count), using: &dice) }).sorted()
      biases = tokens.map { .init(token: $0, value: number(-100...100)) }
    }
    return SamplingParameters(
      temperature: [0, 1e-7, 0.01, 0.7, 1, 1.3, 2][Int.random(in: 0..<7, using: &dice)],
      topK: sometimes(Int.random(in: 0...count + 2, using: &dice), 0),
      topP: sometimes([number(0...1), 0, 1e-12, 0.9, 1].randomElement(using: &dice) ?? 1, 1),
      minP: sometimes([number(0...1), number(0...0.1), 1].randomElement(using: &dice) ?? 0, 0),
      typicalP: sometimes(number(0...1), 1), repetitionPenalty: sometimes(number(0.01...2), 1),
      frequencyPenalty: sometimes(number(-2...2), 0), presencePenalty: sometimes(number(-2...2), 0), bias: biases,
      seed: dice.next())
  }

  private func twins(_ count: Int, _ dice: inout Dice) -> (Int32?, Int32?, String) {
    let logits = row(count, &dice)
    let parameters = parameters(count, &dice)
    let prompt = (0..<Int.random(in: 0..<12, using: &dice)).map { _ in
      Int32.random(in: 0..<Int32(count), using: &dice)
    }
    let path = Self.paths.randomElement(using: &dice) ?? 0
    var mask: [UInt64]?
    if Int.random(in: 0..<3, using: &dice) == 0 {
      // From everything to nothing.
      let share = Double.random(in: 0...1, using: &dice)
      mask = (0..<(count + 63) / 64).map { _ in
        (0..<64).reduce(UInt64(0)) { bits, bit in
          Double.random(in: 0..<1, using: &dice) < share ? bits | 1 << UInt64(bit) : bits
        }
      }
    }
    var sampler = Sampler(parameters, prompt: prompt)
    var answer: [Int32] = []
    // The first choices count for the penalties of the last.
    for _ in 0..<Int.random(in: 0..<5, using: &dice) {
      var row = (0..<count).map { _ in dice.float(-4...4) }
      let token = row.withUnsafeMutableBufferPointer {
        sampler.pick($0, position: prompt.count + answer.count, path: path)
      }
      if let token { answer.append(token) }
    }
    var row = logits
    let fast = row.withUnsafeMutableBufferPointer {
      sampler.pick($0, position: prompt.count + answer.count, path: path, allowed: mask)
    }
    let place = ReferenceSampler.Place(prompt: prompt, answer: answer) { token in
      mask.map { $0[Int(token) / 64] >> UInt64(token % 64) & 1 == 1 } ?? true
    }
    return (fast, ReferenceSampler.pick(logits, parameters, place), "\(count) logits, \(parameters)")
  }

  @Test func bothImplementationsChooseTheSameTokens() {
    var dice = Dice(seed: 2026)
    var faults = 0
    for round in 0..<30_000 {
      let count = round % 100 == 0 ? Int.random(in: 1...5000, using: &dice) : Int.random(in: 1...150, using: &dice)
      let (fast, plain, what) = twins(count, &dice)
      if fast == nil { faults += 1 }
      if fast != plain {
        Issue.record("round \(round): \(String(describing: fast)) is not \(String(describing: plain)): \(what)")
        return
      }
    }
    // Masks that allow nothing were among them, but few.
    #expect(faults > 0 && faults < 3000)
  }

  @Test func largeVocabulariesAreNoDifferent() {
    var dice = Dice(seed: 7)
    for count in [49_152, 262_144] {
      for parameters in [
        SamplingParameters(temperature: 0.8, topK: 40, topP: 0.9, seed: 5), SamplingParameters(topP: 0.999, seed: 6),
        SamplingParameters(temperature: 2, minP: 0.01, seed: 7), SamplingParameters(typicalP: 0.5, seed: 8),
        SamplingParameters(temperature: 2, topK: 20_000, seed: 9),
      ] {
        var logits = (0..<count).map { _ in dice.float(-8...8) }
        let plain = ReferenceSampler.pick(logits, parameters, .init())
        var sampler = Sampler(parameters)
        let fast = logits.withUnsafeMutableBufferPointer {
          sampler.pick($0, position: 0, path: symbolon_path_best())
        }
        #expect(fast == plain)
      }
    }
  }

  @Test func numbersThatAreNotFiniteAreFaultsWhereverTheyAre() {
    for bad in [Float.nan, .infinity, -.infinity] {
      for mask in [nil, [UInt64(0b101)]] {
        var row: [Float] = [1, bad, 2]
        var sampler = Sampler(SamplingParameters())
        let token = row.withUnsafeMutableBufferPointer { sampler.pick($0, position: 0, path: 0, allowed: mask) }
        #expect(token == nil)
      }
    }
    // A bias beyond what a number holds is a fault only where the token may be chosen.
    let parameters = SamplingParameters(temperature: 0, repetitionPenalty: 0.01)
    for (mask, expected) in [(UInt64(0b111), nil), (0b101, Int32(2))] {
      var row: [Float] = [1, 3e38, 2]
      var sampler = Sampler(parameters, prompt: [1])
      let token = row.withUnsafeMutableBufferPointer { sampler.pick($0, position: 0, path: 0, allowed: [mask]) }
      #expect(token == expected)
    }
  }

  @Test func choicesHaveSeedsOfTheirOwn() {
    #expect(Sampler.seed(77, ofChoice: 0) == 77)
    #expect(Set((0..<128).map { Sampler.seed(77, ofChoice: $0) }).count == 128)
    // SHA-256("sca1.chc" | 77 | 1), by Python's hashlib.
    #expect(Sampler.seed(77, ofChoice: 1) == 10246315412834042604)
  }

  @Test func logprobsAreOfTheRowBeforeAnyParameter() throws {
    var dice = Dice(seed: 3)
    for path in Self.paths {
      var row = (0..<700).map { _ in dice.float(-9...9) }
      row[600] = row[3]
      let sum = row.reduce(0.0) { $0 + Self.exponential(Double($1)) }
      let likelihoods = try #require(row.withUnsafeMutableBufferPointer { Likelihoods($0, path: path) })
      let top = likelihoods.top(20)
      let order = row.indices.sorted { (row[$1], $0) < (row[$0], $1) }
      #expect(top.map(\.token) == order.prefix(20).map { Int32($0) })
      for token in [Int32(0), 3, 600, 699] {
        let probability = Self.exponential(Double(row[Int(token)])) / sum
        #expect(abs(Self.exponential(likelihoods.entry(token).logprob) - probability) < 1e-6)
      }
      #expect(likelihoods.top(0).isEmpty)
    }
    var two: [Float] = [1, 2]
    #expect(two.withUnsafeMutableBufferPointer { Likelihoods($0, path: 0) }?.top(20).map(\.token) == [1, 0])
  }

  /// e^x by its series on x/64, for comparison within rounding.
  private static func exponential(_ x: Double) -> Double {
    var term = 1.0
    var sum = 1.0
    for n in 1..<30 {
      term *= x / 64 / Double(n)
      sum += term
    }
    for _ in 0..<6 { sum *= sum }
    return sum
  }
}

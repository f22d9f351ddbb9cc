import InferenceCore
import Testing

@Suite struct SamplerTests {
  private func pick(_ logits: [Float], _ parameters: SamplingParameters, position: Int = 0) -> Int32? {
    var sampler = Sampler(parameters)
    var row = logits
    return row.withUnsafeMutableBufferPointer { sampler.pick($0, position: position, path: 0) }
  }

  private let logits: [Float] = [1, 3, 2, 3, -5, 0]

  @Test func temperatureZeroTakesTheFirstOfTheGreatest() {
    #expect(pick(logits, SamplingParameters(temperature: 0)) == 1)
    #expect(pick(logits, SamplingParameters(temperature: 5, topK: 1)) == 1)
  }

  @Test func sameSeedAndPositionGiveTheSameToken() {
    for position in 0..<50 {
      let parameters = SamplingParameters(temperature: 1, seed: 42)
      #expect(pick(logits, parameters, position: position) == pick(logits, parameters, position: position))
    }
    let one = (0..<50).map { pick(logits, SamplingParameters(seed: 1), position: $0) }
    let two = (0..<50).map { pick(logits, SamplingParameters(seed: 2), position: $0) }
    #expect(one != two)
  }

  @Test func frequenciesFollowTheProbabilities() {
    var counts = [Int](repeating: 0, count: 6)
    for position in 0..<20000 {
      if let token = pick(logits, SamplingParameters(seed: 9), position: position) { counts[Int(token)] += 1 }
    }
    // softmax of the logits: 0.0508, 0.3755, 0.1381, 0.3755, 0.0001, 0.0187, with room for four standard deviations.
    for (count, share) in zip(counts, [0.0516, 0.3812, 0.1402, 0.3812, 0.0001, 0.0190]) {
      #expect(abs(Double(count) / 20000 - share) < 0.02)
    }
  }

  @Test func topKKeepsTheLowerNumberAmongEquals() {
    let parameters = SamplingParameters(temperature: 1, topK: 2, seed: 3)
    let seen = Set((0..<300).compactMap { pick(logits, parameters, position: $0) })
    #expect(seen == [1, 3])
    let flat = [Float](repeating: 1, count: 40)
    let kept = Set((0..<600).compactMap { pick(flat, SamplingParameters(topK: 5, seed: 3), position: $0) })
    #expect(kept == [0, 1, 2, 3, 4])
  }

  @Test func topPKeepsTheSmallestSetThatReachesTheShare() {
    // The two greatest have 0.75 together, three have 0.89.
    func seen(_ share: Double) -> Set<Int32> {
      Set((0..<600).compactMap { pick(logits, SamplingParameters(topP: share, seed: 5), position: $0) })
    }
    #expect(seen(0.3) == [1])
    #expect(seen(0.7) == [1, 3])
    #expect(seen(0.85) == [1, 2, 3])
    #expect(seen(1e-9) == [1])
  }

  @Test func topPEqualsFullSortOnRandomLogits() {
    var dice = Dice(seed: 11)
    for _ in 0..<200 {
      let logits = (0..<500).map { _ in dice.float(-6...6) }
      let token = pick(logits, SamplingParameters(temperature: 0.8, topK: 40, topP: 0.9, seed: dice.next()))
      let rank = logits.indices.sorted { (logits[$1], $0) < (logits[$0], $1) }.firstIndex(of: Int(token ?? -1))
      #expect((rank ?? 999) < 40)
    }
  }

  @Test func numbersThatAreNotFiniteGiveNothing() {
    #expect(pick([1, .nan, 2], SamplingParameters()) == nil)
    #expect(pick([1, .infinity], SamplingParameters(temperature: 0)) == nil)
  }
}

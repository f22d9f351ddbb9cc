import Foundation
import InferenceCore
import Testing

/// The real model against a numpy float32 reference, with the limits of the research: they catch a wrong model, not a
/// wrong bit; bits are held by `ForwardTests` and `ArithmeticTests`.
@Suite struct LogitsTests {
  private static let top = 128
  private static let classes = 64

  /// Reads the little-endian fixture.
  private struct Reader {
    let data: Data
    var offset = 0

    mutating func word() -> UInt32 {
      defer { offset += 4 }
      return data.withUnsafeBytes { UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: UInt32.self)) }
    }

    mutating func float() -> Float { Float(bitPattern: word()) }

    mutating func short() -> Int {
      defer { offset += 2 }
      return Int(
        data.withUnsafeBytes { UInt16(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: UInt16.self)) })
    }
  }

  private struct Tally {
    var positions = 0
    var divergence = 0.0
    var agreements = 0
    var loss = 0.0
    var referenceLoss = 0.0
    var sureMismatches = 0
  }

  private func logProbabilities(_ logits: UnsafeBufferPointer<Float>) -> [Double] {
    let greatest = Double(logits.max() ?? 0)
    let sum = logits.reduce(0.0) { $0 + exp(Double($1) - greatest) }
    return logits.map { Double($0) - greatest - log(sum) }
  }

  @Test func logitsAgreeWithTheFloat32Reference() throws {
    let model = try RealModel.loaded.get()
    let pool = try WorkerPool(threads: 2)
    let session = try Session(model, pool: pool, logitRows: 64)
    let vocabulary = model.tokenizer.vocabularySize
    var reader = Reader(data: try Fixture.data("logits.bin"))
    var tally = Tally()
    for _ in 0..<reader.word() {
      let tokens = (0..<reader.word()).map { _ in Int32(bitPattern: reader.word()) }
      let cache = try SequenceCache(model, positions: tokens.count)
      for start in stride(from: 0, to: tokens.count - 1, by: 64) {
        let end = min(start + 64, tokens.count - 1)
        let logits = try session.step(
          (start..<end).map { Session.Column(token: tokens[$0], position: $0, cache: cache, wantsLogits: true) })
        for position in start..<end {
          let row = UnsafeBufferPointer(
            rebasing: logits[(position - start) * vocabulary..<(position - start + 1) * vocabulary])
          compare(logProbabilities(row), next: Int(tokens[position + 1]), &reader, &tally)
        }
      }
    }
    let n = Double(tally.positions)
    let perplexities = (exp(-tally.loss / n), exp(-tally.referenceLoss / n))
    print(
      "logits: \(tally.positions) positions, mean KL \(tally.divergence / n), top-1 \(Double(tally.agreements) / n), "
        + "perplexity \(perplexities.0) against \(perplexities.1)")
    #expect(tally.positions >= 500)
    #expect(tally.divergence / n <= 2e-2)
    #expect(Double(tally.agreements) / n >= 0.93)
    #expect(abs(perplexities.0 / perplexities.1 - 1) <= 0.025)
    #expect(tally.sureMismatches == 0)
  }

  /// Divergence over the 128 most likely tokens and 64 classes of the rest.
  private func compare(_ ours: [Double], next: Int, _ reader: inout Reader, _ tally: inout Tally) {
    let argmax = Int(reader.word())
    let margin = reader.float()
    tally.referenceLoss += Double(reader.float())
    let numbers = (0..<Self.top).map { _ in reader.short() }
    var rest = [Double](repeating: 0, count: Self.classes)
    let known = Set(numbers)
    for (token, value) in ours.enumerated() where !known.contains(token) { rest[token % Self.classes] += exp(value) }
    for number in numbers {
      let reference = Double(reader.float())
      tally.divergence += exp(reference) * (reference - ours[number])
    }
    for share in rest {
      let reference = Double(reader.float())
      if reference > -1e29 { tally.divergence += exp(reference) * (reference - log(max(share, 1e-300))) }
    }
    let best = ours.indices.max { ours[$0] < ours[$1] } ?? 0
    tally.positions += 1
    tally.loss += ours[next]
    if best == argmax { tally.agreements += 1 } else if margin >= 2 { tally.sureMismatches += 1 }
  }
}

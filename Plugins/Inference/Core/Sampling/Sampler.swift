import CSodium
import InferenceKernels

/// Chooses tokens with integers only: the weights are truncated to 30 bits once, then every sum is exact.
///
/// The order of tokens is (logit descending, number ascending); the draw is a function of seed and position, so no state
/// is kept and a replay needs nothing but the request.
package struct Sampler {
  package let parameters: SamplingParameters
  private var weights: [UInt32] = []
  private var candidates: [Int32] = []

  package init(_ parameters: SamplingParameters) { self.parameters = parameters }

  /// The token after `position` tokens; nil if a logit is not finite.
  package mutating func pick(_ logits: UnsafeBufferPointer<Float>, position: Int, path: Int32) -> Int32? {
    let greatest = symbolon_greatest(logits.baseAddress, Int32(logits.count))
    guard greatest >= 0 else { return nil }
    let temperature = Float(parameters.temperature)
    if temperature <= 0x1p-20 || parameters.topK == 1 { return greatest }
    let top = logits[Int(greatest)]
    if weights.count != logits.count { weights = Array(repeating: 0, count: logits.count) }
    symbolon_sampling_weights(path, logits.baseAddress, Int32(logits.count), top, temperature, &weights)
    if parameters.topK == 0, parameters.topP >= 1 {
      let target = Self.draw(parameters.seed, position, below: weights.reduce(0) { $0 + UInt64($1) })
      return Self.first(Int32(0)..<Int32(logits.count), weights, beyond: target) ?? greatest
    }
    selectCandidates(logits, top, temperature)
    let total = candidates.reduce(UInt64(0)) { $0 + UInt64(weights[Int($1)]) }
    let target = Self.draw(parameters.seed, position, below: total)
    return Self.first(candidates, weights, beyond: target) ?? greatest
  }

  /// The first token whose running sum exceeds the target.
  private static func first(_ tokens: some Sequence<Int32>, _ weights: [UInt32], beyond target: UInt64) -> Int32? {
    var sum: UInt64 = 0
    for token in tokens {
      sum += UInt64(weights[Int(token)])
      if sum > target { return token }
    }
    return nil
  }

  /// Fills `candidates` with the tokens that top-k and top-p leave, by ascending number.
  private mutating func selectCandidates(_ logits: UnsafeBufferPointer<Float>, _ top: Float, _ temperature: Float) {
    let share = UInt64((min(max(parameters.topP, 0), 1) * 0x1p32).rounded())
    let everything = weights.reduce(UInt64(0)) { $0 + UInt64($1) }
    // Sort only what can matter: widen the window below the greatest logit until it holds enough.
    var window = temperature * 4
    while true {
      let floor = top - window
      candidates.removeAll(keepingCapacity: true)
      var sum: UInt64 = 0
      for token in logits.indices where logits[token] >= floor {
        candidates.append(Int32(token))
        sum += UInt64(weights[token])
      }
      let enough =
        parameters.topK > 0 ? candidates.count >= parameters.topK : Self.reaches(sum, share, of: everything)
      if enough || candidates.count == logits.count || window > 1e30 { break }
      window *= 2
    }
    candidates.sort { a, b in (logits[Int(b)], a) < (logits[Int(a)], b) }
    if parameters.topK > 0, candidates.count > parameters.topK {
      candidates.removeLast(candidates.count - parameters.topK)
    }
    let total =
      parameters.topK > 0 ? candidates.reduce(UInt64(0)) { $0 + UInt64(weights[Int($1)]) } : everything
    var sum: UInt64 = 0
    for (index, token) in candidates.enumerated() {
      sum += UInt64(weights[Int(token)])
      if Self.reaches(sum, share, of: total) {
        candidates.removeLast(candidates.count - index - 1)
        break
      }
    }
    candidates.sort()
  }

  /// sum * 2^32 >= total * share, exactly.
  private static func reaches(_ sum: UInt64, _ share: UInt64, of total: UInt64) -> Bool {
    sum.multipliedFullWidth(by: 1 << 32) >= total.multipliedFullWidth(by: share)
  }

  /// A number in 0..<total from SHA-256("sca1.smp" | seed | position), both big-endian.
  private static func draw(_ seed: UInt64, _ position: Int, below total: UInt64) -> UInt64 {
    var message = Array("sca1.smp".utf8)
    withUnsafeBytes(of: seed.bigEndian) { message.append(contentsOf: $0) }
    withUnsafeBytes(of: UInt64(position).bigEndian) { message.append(contentsOf: $0) }
    var digest = [UInt8](repeating: 0, count: 32)
    crypto_hash_sha256(&digest, message, UInt64(message.count))
    let random = digest.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    return random.multipliedFullWidth(by: total).high
  }
}

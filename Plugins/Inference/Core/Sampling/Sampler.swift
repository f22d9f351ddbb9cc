import CSodium
import InferenceKernels

/// Chooses the tokens of one answer: section 10 of docs/arithmetic.md.
///
/// After the weights are truncated to 30 bits everything is exact integers. The draw is a function of seed and position,
/// so a replay needs nothing but the request and the tokens.
package struct Sampler: Sendable {
  package let parameters: SamplingParameters
  /// Distinct tokens of prompt and answer; kept only where a repetition penalty needs them.
  private var known: Set<Int32> = []
  /// How often the answer has each token; kept only where a penalty needs it.
  private var counts: [Int32: Int] = [:]

  private var penalisesRepetition: Bool { Float(parameters.repetitionPenalty) != 1 }
  private var penalisesAnswer: Bool {
    Float(parameters.frequencyPenalty) != 0 || Float(parameters.presencePenalty) != 0
  }

  package init(_ parameters: SamplingParameters, prompt: some Sequence<Int32> = []) {
    self.parameters = parameters
    if penalisesRepetition { known = Set(prompt) }
  }

  /// The token after `position` tokens; nil if a number is not finite or no token is allowed.
  ///
  /// Called once for each token of the answer, in order. Changes the row; `allowed` has a bit for each token, the lowest
  /// first, nil for all.
  package mutating func pick(
    _ logits: UnsafeMutableBufferPointer<Float>, position: Int, path: Int32, allowed: [UInt64]? = nil
  ) -> Int32? {
    guard let base = logits.baseAddress, let token = choose(base, logits, position, path, allowed) else { return nil }
    if penalisesRepetition { known.insert(token) }
    if penalisesAnswer { counts[token, default: 0] += 1 }
    return token
  }

  private func choose(
    _ base: UnsafeMutablePointer<Float>, _ logits: UnsafeMutableBufferPointer<Float>, _ position: Int, _ path: Int32,
    _ allowed: [UInt64]?
  ) -> Int32? {
    let count = Int32(logits.count)
    let changes = !parameters.bias.isEmpty || penalisesRepetition || penalisesAnswer
    guard symbolon_all_finite(base, count) != 0 else { return nil }
    if changes { adjust(logits) }
    if let allowed {
      precondition(allowed.count * 64 >= logits.count, "a mask has a bit for each token")
      // An infinite logit must stay a fault, which minus infinity would hide.
      if changes, !areFinite(logits, allowed) { return nil }
      symbolon_mask(base, count, allowed)
    } else if changes, symbolon_all_finite(base, count) == 0 {
      return nil
    }
    let greatest = symbolon_greatest(base, count)
    guard greatest >= 0 else { return nil }
    let temperature = Float(parameters.temperature)
    if temperature <= 0x1p-20 || parameters.topK == 1 { return greatest }
    var choice = symbolon_choice(
      minimum_share: Self.share(parameters.minP), top_share: Self.share(parameters.topP),
      typical_share: Self.share(parameters.typicalP), random: Self.random(parameters.seed, position),
      temperature: temperature, top_k: Int32(clamping: parameters.topK))
    return withUnsafeTemporaryAllocation(of: UInt32.self, capacity: logits.count) { weights in
      withUnsafeTemporaryAllocation(of: symbolon_candidate.self, capacity: 2 * logits.count) { candidates in
        symbolon_choose(path, base, count, greatest, &choice, weights.baseAddress, candidates.baseAddress)
      }
    }
  }

  /// Steps 2 to 4.
  ///
  /// Each changes a token's own logit only, so their order over tokens does not matter.
  private func adjust(_ logits: UnsafeMutableBufferPointer<Float>) {
    for bias in parameters.bias where logits.indices.contains(Int(bias.token)) {
      logits[Int(bias.token)] += Float(bias.value)
    }
    let repetition = Float(parameters.repetitionPenalty)
    for token in known where logits.indices.contains(Int(token)) {
      let logit = logits[Int(token)]
      logits[Int(token)] = logit > 0 ? logit / repetition : logit * repetition
    }
    let frequency = Float(parameters.frequencyPenalty)
    let presence = Float(parameters.presencePenalty)
    for (token, count) in counts where logits.indices.contains(Int(token)) {
      // Apart from each other: a product that is rounded before it is taken away.
      if frequency != 0 { logits[Int(token)] -= frequency * Float(count) }
      if presence != 0 { logits[Int(token)] -= presence }
    }
  }

  /// Whether the logits of the tokens that may have been changed are finite, if they are allowed.
  private func areFinite(_ logits: UnsafeMutableBufferPointer<Float>, _ allowed: [UInt64]) -> Bool {
    func isSound(_ token: Int32) -> Bool {
      let index = Int(token)
      guard logits.indices.contains(index), allowed[index / 64] >> UInt64(index % 64) & 1 == 1 else { return true }
      return logits[index].isFinite
    }
    return parameters.bias.allSatisfy { isSound($0.token) } && known.allSatisfy(isSound)
      && counts.keys.allSatisfy(isSound)
  }

  /// A share in 2^-32.
  private static func share(_ p: Double) -> UInt64 {
    UInt64((min(max(p, 0), 1) * 0x1p32).rounded(.toNearestOrEven))
  }

  /// R of step 12.
  private static func random(_ seed: UInt64, _ position: Int) -> UInt64 {
    hashed("sca1.smp", seed, UInt64(position))
  }

  /// The first 8 bytes of SHA-256(label | a | b), big-endian all three.
  private static func hashed(_ label: String, _ a: UInt64, _ b: UInt64) -> UInt64 {
    var message = Array(label.utf8)
    withUnsafeBytes(of: a.bigEndian) { message.append(contentsOf: $0) }
    withUnsafeBytes(of: b.bigEndian) { message.append(contentsOf: $0) }
    var digest = [UInt8](repeating: 0, count: 32)
    crypto_hash_sha256(&digest, message, UInt64(message.count))
    return digest.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
  }

  /// The seed of choice `index` of a request for several choices.
  package static func seed(_ seed: UInt64, ofChoice index: Int) -> UInt64 {
    index == 0 ? seed : hashed("sca1.chc", seed, UInt64(index))
  }
}

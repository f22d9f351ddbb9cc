import CSodium

/// Section 10 of docs/arithmetic.md, step by step as it is written; the judge of `Sampler`.
package enum ReferenceSampler {
  /// What a choice is made from.
  package struct Place {
    package var prompt: [Int32]
    package var answer: [Int32]
    /// Whether the grammar allows a token.
    package var allows: (Int32) -> Bool

    package init(prompt: [Int32] = [], answer: [Int32] = [], allows: @escaping (Int32) -> Bool = { _ in true }) {
      self.prompt = prompt
      self.answer = answer
      self.allows = allows
    }
  }

  /// The token that is chosen from a row of logits; nil for a fault.
  package static func pick(_ row: [Float], _ parameters: SamplingParameters, _ place: Place) -> Int32? {
    guard let l = adjusted(row, parameters, place) else { return nil }
    // 5
    var set = l.indices.filter { place.allows(Int32($0)) }
    guard !set.isEmpty, set.allSatisfy({ l[$0].isFinite }) else { return nil }
    // 6
    let m = set.map { l[$0] }.max() ?? 0
    let T = Float(parameters.temperature)
    if T <= 0x1p-20 || parameters.topK == 1 { return set.first { l[$0] == m }.map { Int32($0) } }
    // 7
    if parameters.topK > 0 {
      set = Array(set.sorted { l[$0] > l[$1] || (l[$0] == l[$1] && $0 < $1) }.prefix(parameters.topK))
    }
    // 8
    var w: [Int: UInt64] = [:]
    for i in set { w[i] = UInt64(ReferenceArithmetic.exp1((l[i] - m) / T) * 0x1p30) }
    func weight(_ i: Int) -> UInt64 { w[i] ?? 0 }
    func total() -> UInt64 { set.reduce(0) { $0 + weight($1) } }
    // 9
    let least = share(parameters.minP)
    if least > 0 { set = set.filter { weight($0) * 4 >= least } }
    // 10
    if share(parameters.topP) < 1 << 32 {
      set.sort { weight($0) > weight($1) || (weight($0) == weight($1) && $0 < $1) }
      set = prefix(of: set, reaching: share(parameters.topP), of: total(), weight)
    }
    // 11
    if share(parameters.typicalP) < 1 << 32 {
      set = set.filter { weight($0) > 0 }
      func x(_ i: Int) -> UInt64 { UInt64(-((l[i] - m) / T) * 0x1p20) }
      let moment = set.reduce(UInt128(0)) { $0 + UInt128(weight($1)) * UInt128(x($1)) }
      let e = UInt64(moment / UInt128(total()))
      func distance(_ i: Int) -> UInt64 { x(i) > e ? x(i) - e : e - x(i) }
      set.sort { (distance($0), weight($1), $0) < (distance($1), weight($0), $1) }
      set = prefix(of: set, reaching: share(parameters.typicalP), of: total(), weight)
    }
    // 12
    let position = place.prompt.count + place.answer.count
    let target = random(parameters.seed, UInt64(position)).multipliedFullWidth(by: total()).high
    var sum: UInt64 = 0
    for i in set.sorted() {
      sum += weight(i)
      if sum > target { return Int32(i) }
    }
    return nil
  }

  /// Steps 1 to 4: the row with biases and penalties applied; nil when it is not finite.
  private static func adjusted(_ row: [Float], _ parameters: SamplingParameters, _ place: Place) -> [Float]? {
    var l = row
    // 1
    guard l.allSatisfy(\.isFinite) else { return nil }
    // 2
    for bias in parameters.bias { l[Int(bias.token)] = l[Int(bias.token)] + Float(bias.value) }
    // 3
    let r = Float(parameters.repetitionPenalty)
    if r != 1 {
      for token in Set(place.prompt + place.answer) {
        l[Int(token)] = l[Int(token)] > 0 ? l[Int(token)] / r : l[Int(token)] * r
      }
    }
    // 4
    let f = Float(parameters.frequencyPenalty)
    let p = Float(parameters.presencePenalty)
    for token in Set(place.answer) {
      let c = Float(place.answer.count { $0 == token })
      if f != 0 {
        let product = f * c
        l[Int(token)] = l[Int(token)] - product
      }
      if p != 0 { l[Int(token)] = l[Int(token)] - p }
    }
    return l
  }

  private static func share(_ p: Double) -> UInt64 {
    UInt64((min(max(p, 0), 1) * 0x1p32).rounded(.toNearestOrEven))
  }

  /// The shortest prefix of at least one token with sum * 2^32 >= total * share.
  private static func prefix(
    of set: [Int], reaching share: UInt64, of total: UInt64, _ weight: (Int) -> UInt64
  ) -> [Int] {
    var sum: UInt64 = 0
    for (index, i) in set.enumerated() {
      sum += weight(i)
      if UInt128(sum) << 32 >= UInt128(total) * UInt128(share) { return Array(set.prefix(index + 1)) }
    }
    return set
  }

  private static func random(_ seed: UInt64, _ position: UInt64) -> UInt64 {
    var message = Array("sca1.smp".utf8)
    for number in [seed, position] {
      for byte in 0..<8 { message.append(UInt8(truncatingIfNeeded: number >> UInt64(56 - 8 * byte))) }
    }
    var digest = [UInt8](repeating: 0, count: 32)
    crypto_hash_sha256(&digest, message, UInt64(message.count))
    return digest.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
  }
}

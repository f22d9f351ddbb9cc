import InferenceCore

/// What traces cost, in turns with steps that leave none, so that both see the same machine.
///
/// engine.receipt_cost.t<N>   percent that decoding takes longer when every step leaves its leaf
/// engine.replay_ratio.t<N>   time to recompute a prompt of 16 and an answer of 128 as one prefill with leaves, against the
///                            time to decode that answer
struct ReceiptFigures {
  let session: Session
  let model: Model
  let prompt: [Int32]
  private let answer = 128
  private var costs: [Double] = []
  private var ratios: [Double] = []

  init(_ session: Session, _ model: Model, prompt: [Int32]) {
    (self.session, self.model) = (session, model)
    self.prompt = Array(prompt.prefix(16))
  }

  /// One round; figures of the first are for warming up and not kept.
  mutating func round(keep: Bool) throws {
    let cache = try SequenceCache(model, positions: 256)
    var token = try read(session, prompt, cache)
    var tokens = prompt
    var plain = 0.0
    var traced = 0.0
    for block in 0..<answer / 8 {
      let start = prompt.count + block * 8
      var next = token
      // The same eight positions both times: the second writes the same keys and values again.
      for wantsLeaf in block % 2 == 0 ? [false, true] : [true, false] {
        next = token
        let time = try seconds {
          for position in start..<start + 8 {
            let logits = try session.step([
              Session.Column(token: next, position: position, cache: cache, wantsLogits: true, wantsLeaf: wantsLeaf)
            ])
            if wantsLeaf { _ = session.leaf(0) }
            next = greatest(logits)
            if wantsLeaf { tokens.append(next) }
          }
        }
        if wantsLeaf { traced += time } else { plain += time }
      }
      token = next
    }
    tokens.removeLast()
    let replay = try seconds {
      let fresh = try SequenceCache(model, positions: 256)
      _ = try session.step(
        tokens.indices.map {
          Session.Column(token: tokens[$0], position: $0, cache: fresh, wantsLogits: false, wantsLeaf: true)
        })
      for index in tokens.indices { _ = session.leaf(index) }
    }
    guard keep else { return }
    costs.append((traced / plain - 1) * 100)
    ratios.append(replay / plain)
  }

  func report(threads: Int) {
    EngineBench.report("engine.receipt_cost.t\(threads)", median(costs), "%", costs.count)
    EngineBench.report("engine.replay_ratio.t\(threads)", median(ratios), "of decode", ratios.count)
  }
}

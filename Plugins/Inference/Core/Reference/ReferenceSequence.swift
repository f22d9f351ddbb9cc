/// One sequence run by the second implementation, a position at a time: section 9 of `docs/arithmetic.md`.
package final class ReferenceSequence {
  /// A value that is not finite: section 11.
  package struct Fault: Error, Equatable {
    package let position: Int
    package let layer: Int
    package let operation: Operator
  }

  /// What one position gives.
  package struct Step {
    package let digests: PositionDigests
    /// The final normed vector, and the logits, when they were wanted.
    package let hidden: [Float]
    package let logits: [Float]
  }

  private let model: ReferenceModel
  /// Rows of each layer, as the binary16 values they were rounded to.
  private var keys: [[[Float]]]
  private var values: [[[Float]]]
  package private(set) var position = 0

  package init(_ model: ReferenceModel) {
    self.model = model
    keys = Array(repeating: [], count: model.layers.count)
    values = keys
  }

  /// Runs the next position; `see` is shown every operator's result in order.
  package func step(
    _ token: Int32, wantsLogits: Bool = true, see: (Operator, Int, [Float]) -> Void = { _, _, _ in }
  ) throws(Fault) -> Step {
    var x = model.embedding.values(ofRow: Int(token))
    if model.family.scalesEmbedding {
      let factor = Float(model.width).squareRoot()
      x = x.map { $0 * factor }
    }
    see(.embedding, 0, x)
    var digests = [try digest(x, 0, .embedding)]
    for index in model.layers.indices {
      let layer = model.layers[index]
      let attended = try attention(layer, index, x, &digests, see)
      x = zip(x, attended).map { $0 + $1 }
      see(.attentionResidual, index, x)
      let fed = try feedForward(layer, index, x, see)
      x = zip(x, fed).map { $0 + $1 }
      see(.feedResidual, index, x)
      digests.append(try digest(x, index, .feedResidual))
    }
    let step = PositionDigests(position: position, token: token, digests: digests)
    guard wantsLogits else {
      position += 1
      return Step(digests: step, hidden: [], logits: [])
    }
    let last = model.layers.count
    let hidden = ReferenceArithmetic.norm(x[...], model.outputNorm, model.epsilon)
    see(.outputNorm, last, hidden)
    let logits = model.head.times(try activation(hidden, last, .outputNorm))
    see(.logits, last, logits)
    position += 1
    return Step(digests: step, hidden: hidden, logits: logits)
  }

  /// The attention block of a layer: what is to be added to the residual.
  private func attention(
    _ layer: ReferenceModel.Layer, _ index: Int, _ x: [Float], _ digests: inout [Digest],
    _ see: (Operator, Int, [Float]) -> Void
  ) throws(Fault) -> [Float] {
    let normed = ReferenceArithmetic.norm(x[...], layer.attentionNorm, model.epsilon)
    see(.attentionNorm, index, normed)
    let input = try activation(normed, index, .attentionNorm)
    var q = plus(layer.query.times(input), layer.queryBias)
    see(.query, index, q)
    var k = plus(layer.key.times(input), layer.keyBias)
    see(.key, index, k)
    let v = plus(layer.value.times(input), layer.valueBias)
    see(.value, index, v)
    if let weight = layer.queryNorm {
      q = byHead(q) { ReferenceArithmetic.norm($0, weight, model.epsilon)[...] }
      see(.queryNorm, index, q)
    }
    if let weight = layer.keyNorm {
      k = byHead(k) { ReferenceArithmetic.norm($0, weight, model.epsilon)[...] }
      see(.keyNorm, index, k)
    }
    let row = layer.rotation.row(position: position)
    func rotated(_ head: ArraySlice<Float>) -> ArraySlice<Float> {
      var head = head
      ReferenceRotation.rotate(&head, row, halves: model.family.halves)
      return head
    }
    q = byHead(q, rotated)
    see(.queryRotated, index, q)
    k = byHead(k, rotated)
    see(.keyRotated, index, k)
    digests.append(try remember(k, v, index))

    let size = model.headSize
    let scale = 1 / Float(size).squareRoot()
    let visible = max(0, position + 1 - (layer.window ?? .max))..<position + 1
    var attended: [Float] = []
    for head in 0..<model.heads {
      let group = head / (model.heads / model.kvHeads)
      attended += ReferenceArithmetic.attend(
        q[head * size..<(head + 1) * size], keys: keys[index], values: values[index], at: group * size,
        visible: visible, scale: scale)
    }
    see(.attention, index, attended)
    var out = plus(layer.output.times(try activation(attended, index, .attention)), layer.outputBias)
    see(.attentionOutput, index, out)
    if let weight = layer.attentionPostNorm {
      out = ReferenceArithmetic.norm(out[...], weight, model.epsilon)
      see(.attentionPostNorm, index, out)
    }
    return out
  }

  /// The feed-forward block of a layer: what is to be added to the residual.
  private func feedForward(
    _ layer: ReferenceModel.Layer, _ index: Int, _ x: [Float], _ see: (Operator, Int, [Float]) -> Void
  ) throws(Fault) -> [Float] {
    let normed = ReferenceArithmetic.norm(x[...], layer.feedNorm, model.epsilon)
    see(.feedNorm, index, normed)
    let input = try activation(normed, index, .feedNorm)
    let gate = plus(layer.gate.times(input), layer.gateBias)
    see(.gate, index, gate)
    let up = plus(layer.up.times(input), layer.upBias)
    see(.up, index, up)
    let gated = zip(gate, up).map(model.family.gelu ? ReferenceArithmetic.geluGate : ReferenceArithmetic.siluGate)
    see(.gated, index, gated)
    var out = plus(layer.down.times(try activation(gated, index, .gated)), layer.downBias)
    see(.down, index, out)
    if let weight = layer.feedPostNorm {
      out = ReferenceArithmetic.norm(out[...], weight, model.epsilon)
      see(.feedPostNorm, index, out)
    }
    return out
  }

  private func activation(
    _ x: [Float], _ layer: Int, _ operation: Operator
  ) throws(Fault) -> ReferenceArithmetic.Activation {
    let activation = ReferenceArithmetic.Activation(x)
    guard activation.isFinite else { throw Fault(position: position, layer: layer, operation: operation) }
    return activation
  }

  private func plus(_ x: [Float], _ bias: [Float]?) -> [Float] {
    guard let bias else { return x }
    return zip(x, bias).map { $0 + $1 }
  }

  private func byHead(_ x: [Float], _ body: (ArraySlice<Float>) -> ArraySlice<Float>) -> [Float] {
    stride(from: 0, to: x.count, by: model.headSize).flatMap { body(x[$0..<$0 + model.headSize]) }
  }

  /// Rounds keys and values to binary16 and keeps them; the digest of the row, keys of all heads before values.
  private func remember(_ k: [Float], _ v: [Float], _ layer: Int) throws(Fault) -> Digest {
    let halves = (k + v).map { Float16($0) }
    for (part, operation) in [(halves[k.count...], Operator.value), (halves[..<k.count], .keyRotated)] {
      guard part.allSatisfy(\.isFinite) else { throw Fault(position: position, layer: layer, operation: operation) }
    }
    keys[layer].append(halves[..<k.count].map { Float($0) })
    values[layer].append(halves[k.count...].map { Float($0) })
    return Digest(of: halves.flatMap { half in withUnsafeBytes(of: half.bitPattern.littleEndian) { Array($0) } })
  }

  private func digest(_ x: [Float], _ layer: Int, _ operation: Operator) throws(Fault) -> Digest {
    guard x.allSatisfy(\.isFinite) else { throw Fault(position: position, layer: layer, operation: operation) }
    return x.withUnsafeBufferPointer { OperatorTrace.digest($0) }
  }
}

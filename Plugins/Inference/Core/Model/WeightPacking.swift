import InferenceKernels

/// Collects a model's tensors, checks them, and lays them out for the kernels.
struct WeightPacking {
  /// A matrix to be packed: its tensor, and where its groups will lie in the arena.
  struct Matrix {
    let tensor: GGUFFile.Tensor
    let rows: Int
    let columns: Int
    let offset: Int

    /// The matrix for the kernels, in an arena that begins at `base`.
    func matrix(_ base: UnsafeMutableRawPointer?) -> symbolon_matrix {
      symbolon_matrix(
        type: Int32(tensor.type), rows: Int32(rows), columns: Int32(columns),
        groups: base.map { UnsafePointer(($0 + offset).assumingMemoryBound(to: UInt8.self)) })
    }
  }

  /// The tensors of one layer; a family's own are nil elsewhere.
  struct Layer {
    let attentionNorm: UnsafePointer<Float>
    let query, key, value, output: Matrix
    let queryBias, keyBias, valueBias, outputBias: UnsafePointer<Float>?
    let queryNorm, keyNorm: UnsafePointer<Float>?
    let attentionPostNorm: UnsafePointer<Float>?
    let feedNorm: UnsafePointer<Float>
    let gate, up, down: Matrix
    let gateBias, upBias, downBias: UnsafePointer<Float>?
    let feedPostNorm: UnsafePointer<Float>?

    /// The layer for the kernels, with its rotation [context][pairs] of cosines and of sines; `window` 0 for none.
    func layer(
      _ base: UnsafeMutableRawPointer?, cosines: UnsafePointer<Float>?, sines: UnsafePointer<Float>?, window: Int
    ) -> symbolon_layer {
      symbolon_layer(
        attention_norm: attentionNorm, query: query.matrix(base), key: key.matrix(base), value: value.matrix(base),
        query_bias: queryBias, key_bias: keyBias, value_bias: valueBias, query_norm: queryNorm, key_norm: keyNorm,
        output: output.matrix(base), output_bias: outputBias, attention_post_norm: attentionPostNorm,
        feed_norm: feedNorm, gate: gate.matrix(base), up: up.matrix(base), down: down.matrix(base),
        gate_bias: gateBias, up_bias: upBias, down_bias: downBias, feed_post_norm: feedPostNorm, cosines: cosines,
        sines: sines, window: Int32(window))
    }
  }

  private let gguf: GGUFFile
  private var matrices: [Matrix] = []
  private var used: Set<String> = []
  private var size = 0

  /// The vectors, copied so that nothing reads the file once the model is loaded.
  let vectors: Arena
  private var copies: [String: UnsafePointer<Float>] = [:]
  private var copied = 0

  init(_ gguf: GGUFFile) throws(InferenceError) {
    self.gguf = gguf
    let sizes = gguf.tensors.values.map { $0.shape.count == 1 ? ($0.bytes.count + 63) / 64 * 64 : 0 }
    vectors = try Arena(byteCount: sizes.reduce(0, +), huge: false, what: "the model's vectors")
  }

  private var path: String { gguf.file.path }

  /// A tensor of exactly this shape, fastest dimension first.
  mutating func tensor(_ name: String, _ shape: [Int]) throws(InferenceError) -> GGUFFile.Tensor {
    guard let tensor = gguf.tensors[name] else {
      throw .model(path, "lacks the tensor \(name): fetch it again.", code: "bad_tensors")
    }
    guard tensor.shape == shape else {
      throw .model(
        path, "gives \(name) the shape \(tensor.shape); \(shape) is expected. Fetch it again.", code: "bad_tensors")
    }
    used.insert(name)
    return tensor
  }

  /// An F32 vector.
  mutating func vector(_ name: String, _ count: Int) throws(InferenceError) -> UnsafePointer<Float> {
    let tensor = try tensor(name, [count])
    if let copy = copies[name] { return copy }
    guard tensor.type == TensorType.f32.rawValue, let start = vectors.bytes.baseAddress else {
      throw .model(
        path, "stores \(name) as \(TensorType.name(tensor.type)); F32 is expected. Choose another model.",
        code: "bad_tensors")
    }
    UnsafeMutableRawBufferPointer(rebasing: vectors.bytes[copied..<copied + tensor.bytes.count])
      .copyMemory(from: tensor.bytes)
    let copy = UnsafePointer((start + copied).assumingMemoryBound(to: Float.self))
    copies[name] = copy
    copied += (tensor.bytes.count + 63) / 64 * 64
    return copy
  }

  /// A vector that not every file has.
  mutating func optionalVector(_ name: String, _ count: Int) throws(InferenceError) -> UnsafePointer<Float>? {
    gguf.tensors[name] == nil ? nil : try vector(name, count)
  }

  /// A matrix with `rows` outputs.
  mutating func add(_ name: String, rows: Int, columns: Int) throws(InferenceError) -> Matrix {
    let tensor = try tensor(name, [columns, rows])
    let matrix = Matrix(tensor: tensor, rows: rows, columns: columns, offset: size)
    let bytes = symbolon_packed_bytes(Int32(tensor.type), Int32(rows), Int32(columns))
    guard bytes > 0 else {
      throw .model(
        path,
        "stores rows of \(columns) for \(name) as \(TensorType.name(tensor.type)), whose blocks do not fit: "
          + "fetch it again.", code: "bad_tensors")
    }
    size += bytes
    matrices.append(matrix)
    return matrix
  }

  mutating func addLayer(_ layer: Int, _ sizes: Hyperparameters) throws(InferenceError) -> Layer {
    let prefix = "blk.\(layer)."
    let (width, feed, family) = (sizes.width, sizes.feedWidth, sizes.family)
    let queries = sizes.heads * sizes.headSize
    let keys = sizes.kvHeads * sizes.headSize
    return Layer(
      attentionNorm: try vector(prefix + "attn_norm.weight", width),
      query: try add(prefix + "attn_q.weight", rows: queries, columns: width),
      key: try add(prefix + "attn_k.weight", rows: keys, columns: width),
      value: try add(prefix + "attn_v.weight", rows: keys, columns: width),
      output: try add(prefix + "attn_output.weight", rows: width, columns: queries),
      queryBias: try optionalVector(prefix + "attn_q.bias", queries),
      keyBias: try optionalVector(prefix + "attn_k.bias", keys),
      valueBias: try optionalVector(prefix + "attn_v.bias", keys),
      outputBias: try optionalVector(prefix + "attn_output.bias", width),
      queryNorm: family.normsHeads ? try vector(prefix + "attn_q_norm.weight", sizes.headSize) : nil,
      keyNorm: family.normsHeads ? try vector(prefix + "attn_k_norm.weight", sizes.headSize) : nil,
      attentionPostNorm: family.normsOutputs ? try vector(prefix + "post_attention_norm.weight", width) : nil,
      feedNorm: try vector(prefix + "ffn_norm.weight", width),
      gate: try add(prefix + "ffn_gate.weight", rows: feed, columns: width),
      up: try add(prefix + "ffn_up.weight", rows: feed, columns: width),
      down: try add(prefix + "ffn_down.weight", rows: width, columns: feed),
      gateBias: try optionalVector(prefix + "ffn_gate.bias", feed),
      upBias: try optionalVector(prefix + "ffn_up.bias", feed),
      downBias: try optionalVector(prefix + "ffn_down.bias", width),
      feedPostNorm: family.normsOutputs ? try vector(prefix + "post_ffw_norm.weight", width) : nil)
  }

  /// The rotation of all layers, and that of local ones.
  mutating func rotations(_ sizes: Hyperparameters) throws(InferenceError) -> (global: Rotation, local: Rotation) {
    let pairs = sizes.rotated / 2
    let divisors = try optionalVector("rope_freqs.weight", pairs)
    let reader = HyperparameterReader(gguf, sizes.family)
    let global = try Rotation(
      reader, sizes, divisors: divisors.map { UnsafeBufferPointer(start: $0, count: pairs) })
    return (global, try Rotation.local(reader, sizes))
  }

  /// A tensor that nothing reads means a model that this engine would run wrongly.
  func refuseUnknown() throws(InferenceError) {
    guard let unknown = gguf.tensors.keys.filter({ !used.contains($0) }).min() else { return }
    throw .model(
      path, "carries the tensor \(unknown), which this engine does not know how to use. Choose another model.",
      code: "unsupported_tensor")
  }

  /// Packs everything, on all threads.
  func pack(_ pool: WorkerPool) throws(InferenceError) -> Arena {
    let arena = try Arena(byteCount: size, huge: true, what: "the model's weights")
    let target = UncheckedBuffer(arena.bytes.bindMemory(to: UInt8.self))
    // Large matrices in several parts, so that all threads have something to do to the end.
    let groupsOfPart = 128
    let parts = matrices.flatMap { matrix in
      stride(from: 0, to: Int(symbolon_groups(Int32(matrix.rows))), by: groupsOfPart).map { (matrix, $0) }
    }
    let shared = UncheckedValue(parts)
    pool.forEach(below: parts.count) { index in
      let (matrix, first) = shared.value[index]
      guard let start = target.buffer.baseAddress, let source = matrix.tensor.bytes.baseAddress else { return }
      symbolon_pack(
        Int32(matrix.tensor.type), Int32(matrix.rows), Int32(matrix.columns),
        source.assumingMemoryBound(to: UInt8.self), start + matrix.offset, Int32(first),
        min(Int32(first + groupsOfPart), symbolon_groups(Int32(matrix.rows))))
    }
    return arena
  }
}

/// A value that several threads read and none writes.
struct UncheckedValue<Value>: @unchecked Sendable {
  let value: Value

  init(_ value: Value) { self.value = value }
}

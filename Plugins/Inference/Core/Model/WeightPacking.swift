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

  /// The tensors of one layer.
  struct Layer {
    let attentionNorm: UnsafePointer<Float>
    let feedNorm: UnsafePointer<Float>
    let query: Matrix
    let key: Matrix
    let value: Matrix
    let output: Matrix
    let gate: Matrix
    let up: Matrix
    let down: Matrix

    func layer(_ base: UnsafeMutableRawPointer?) -> symbolon_layer {
      symbolon_layer(
        attention_norm: attentionNorm, query: query.matrix(base), key: key.matrix(base), value: value.matrix(base),
        output: output.matrix(base), feed_norm: feedNorm, gate: gate.matrix(base), up: up.matrix(base),
        down: down.matrix(base))
    }
  }

  private let gguf: GGUFFile
  private var matrices: [Matrix] = []
  private var used: Set<String> = []
  private var size = 0

  init(_ gguf: GGUFFile) { self.gguf = gguf }

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

  /// An F32 vector, left where it lies in the file.
  mutating func vector(_ name: String, _ count: Int) throws(InferenceError) -> UnsafePointer<Float> {
    let tensor = try tensor(name, [count])
    guard tensor.type == TensorType.f32.rawValue, let start = tensor.bytes.baseAddress,
      UInt(bitPattern: start) % 4 == 0
    else {
      throw .model(
        path, "stores \(name) as \(TensorType.name(tensor.type)) or unaligned; F32 is expected.", code: "bad_tensors")
    }
    return start.assumingMemoryBound(to: Float.self)
  }

  /// A matrix with `rows` outputs.
  mutating func add(_ name: String, rows: Int, columns: Int) throws(InferenceError) -> Matrix {
    let tensor = try tensor(name, [columns, rows])
    let matrix = Matrix(tensor: tensor, rows: rows, columns: columns, offset: size)
    size += symbolon_packed_bytes(Int32(tensor.type), Int32(rows), Int32(columns))
    matrices.append(matrix)
    return matrix
  }

  mutating func addLayer(_ layer: Int, _ sizes: Hyperparameters) throws(InferenceError) -> Layer {
    let prefix = "blk.\(layer)."
    let width = sizes.width
    let queries = sizes.heads * sizes.headSize
    let keys = sizes.kvHeads * sizes.headSize
    return Layer(
      attentionNorm: try vector(prefix + "attn_norm.weight", width),
      feedNorm: try vector(prefix + "ffn_norm.weight", width),
      query: try add(prefix + "attn_q.weight", rows: queries, columns: width),
      key: try add(prefix + "attn_k.weight", rows: keys, columns: width),
      value: try add(prefix + "attn_v.weight", rows: keys, columns: width),
      output: try add(prefix + "attn_output.weight", rows: width, columns: queries),
      gate: try add(prefix + "ffn_gate.weight", rows: sizes.feedWidth, columns: width),
      up: try add(prefix + "ffn_up.weight", rows: sizes.feedWidth, columns: width),
      down: try add(prefix + "ffn_down.weight", rows: width, columns: sizes.feedWidth))
  }

  /// The rotation's frequencies, with the factors that some models carry.
  mutating func frequencies(_ sizes: Hyperparameters) throws(InferenceError) -> [Float] {
    var frequencies = [Float](repeating: 0, count: sizes.headSize / 2)
    symbolon_rope_frequencies(sizes.ropeBase, Int32(sizes.headSize), &frequencies)
    if sizes.ropeFactor != 1 { frequencies = frequencies.map { $0 / Float(sizes.ropeFactor) } }
    guard gguf.tensors["rope_freqs.weight"] != nil else { return frequencies }
    let factors = try vector("rope_freqs.weight", frequencies.count)
    return frequencies.indices.map { frequencies[$0] / factors[$0] }
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

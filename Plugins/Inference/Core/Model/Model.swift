import InferenceKernels

/// A loaded model: tokenizer, template, and weights laid out for the kernels.
///
/// `@unchecked Sendable`: everything is written before `init` returns and only read afterwards.
package final class Model: @unchecked Sendable {
  package let file: MappedFile
  package let sizes: Hyperparameters
  package let tokenizer: Tokenizer
  /// The chat template, or why there is none.
  package let template: Result<ChatTemplate, TemplateError>
  /// The most positions of one sequence: the model's, or fewer if so configured.
  package let context: Int
  package let quantization: String
  let forms = AnswerForms()
  /// What the kernels read.
  let handle: UnsafeMutablePointer<symbolon_model>

  private let layers: UnsafeMutablePointer<symbolon_layer>
  private let weights: Arena
  /// Copies of what stays as it is in the file: vectors, and the embedding, whose rows are read token by token.
  private let vectors, embedding: Arena
  /// The tables of rotations that differ.
  private let tables: [Arena]

  /// Loads a GGUF file.
  ///
  /// `context` 0 takes the model's own limit.
  package convenience init(path: String, context: Int = 0, pool: WorkerPool) throws(InferenceError) {
    try self.init(try MappedFile(path), context: context, pool: pool)
  }

  /// Loads a GGUF file that is open; everything needed later is copied out of it.
  package init(_ file: MappedFile, context: Int = 0, pool: WorkerPool) throws(InferenceError) {
    let gguf = try GGUFFile(file)
    let sizes = try Hyperparameters(gguf)
    self.file = file
    self.sizes = sizes
    tokenizer = try Tokenizer(gguf)
    self.context = min(
      context > 0 ? context : sizes.contextLength, sizes.contextLength, Self.mostPositions(rotated: sizes.rotated))
    template = Self.template(gguf, tokenizer)
    quantization = Self.quantization(gguf)

    var packing = try WeightPacking(gguf)
    vectors = packing.vectors
    let layerTensors = try (0..<sizes.layers).map { layer throws(InferenceError) in
      try packing.addLayer(layer, sizes)
    }
    let vocabulary = tokenizer.vocabularySize
    let embedding = try packing.tensor("token_embd.weight", [sizes.width, vocabulary])
    let outputNorm = try packing.vector("output_norm.weight", sizes.width)
    let headName = gguf.tensors["output.weight"] == nil ? "token_embd.weight" : "output.weight"
    let head = try packing.add(headName, rows: vocabulary, columns: sizes.width)
    let rotations = try packing.rotations(sizes)
    try packing.refuseUnknown()

    weights = try packing.pack(pool)
    self.embedding = try Arena(byteCount: embedding.bytes.count, huge: true, what: "the model's embedding")
    self.embedding.bytes.copyMemory(from: embedding.bytes)
    try file.check()
    file.release()
    let base = weights.bytes.baseAddress
    tables = try Self.tables(rotations, sizes, context: self.context, pool)
    // Not `self` in the closure: not all of it is there yet.
    let numbers = self.context * sizes.rotated / 2
    let rows = tables.map { table in
      let cosines = table.bytes.bindMemory(to: Float.self).baseAddress
      return (cosines: cosines, sines: cosines?.advanced(by: numbers))
    }
    layers = .allocate(capacity: sizes.layers)
    for (index, tensors) in layerTensors.enumerated() {
      let isLocal = sizes.isLocal[index]
      let row = isLocal ? rows[rows.count - 1] : rows[0]
      (layers + index).initialize(
        to: tensors.layer(base, cosines: row.cosines, sines: row.sines, window: isLocal ? sizes.window ?? 0 : 0))
    }
    handle = .allocate(capacity: 1)
    handle.initialize(
      to: symbolon_model(
        width: Int32(sizes.width), layers: Int32(sizes.layers), heads: Int32(sizes.heads),
        kv_heads: Int32(sizes.kvHeads), head_size: Int32(sizes.headSize), feed_width: Int32(sizes.feedWidth),
        vocabulary: Int32(vocabulary), context: Int32(self.context), rotated: Int32(sizes.rotated),
        halves: sizes.family.rotatesHalves ? 1 : 0, gate: Int32(sizes.family.gate.rawValue), epsilon: sizes.epsilon,
        score_scale: 1 / Float(sizes.headSize).squareRoot(),
        embedding_scale: sizes.family.scalesEmbedding ? Float(sizes.width).squareRoot() : 1,
        embedding_type: Int32(embedding.type),
        embedding: UnsafePointer(self.embedding.bytes.bindMemory(to: UInt8.self).baseAddress),
        layer: layers, output_norm: outputNorm, head: head.matrix(base)))
  }

  private static func template(_ gguf: GGUFFile, _ tokenizer: Tokenizer) -> Result<ChatTemplate, TemplateError> {
    guard let source = gguf.keys["tokenizer.chat_template"]?.string else {
      return .failure(TemplateError(reason: "the file carries none"))
    }
    do throws(TemplateError) {
      return .success(try ChatTemplate(source, begin: tokenizer.beginText, end: tokenizer.endText))
    } catch { return .failure(error) }
  }

  /// How many positions of heads a table of rotations has room for: 512 MiB, a million positions of 128 dimensions.
  ///
  /// The smallest file can ask for more, so its number alone must not decide.
  package static func mostPositions(rotated: Int) -> Int { (512 << 20) / (rotated * 4) }

  deinit {
    handle.deallocate()
    layers.deallocate()
  }

  /// The table of all layers but local ones, then that of local ones, if there are any and it differs.
  private static func tables(
    _ rotations: (global: Rotation, local: Rotation), _ sizes: Hyperparameters, context: Int, _ pool: WorkerPool
  ) throws(InferenceError) -> [Arena] {
    let global = try rotations.global.table(context: context, pool)
    guard sizes.isLocal.contains(true), rotations.local != rotations.global else { return [global] }
    return [global, try rotations.local.table(context: context, pool)]
  }

  static func quantization(_ gguf: GGUFFile) -> String {
    switch gguf.keys["general.file_type"]?.count {
    case 0: return "F32"
    case 1: return "F16"
    case 2: return "Q4_0"
    case 3: return "Q4_1"
    case 7: return "Q8_0"
    default:
      var bytes: [UInt32: Int] = [:]
      for tensor in gguf.tensors.values { bytes[tensor.type, default: 0] += tensor.bytes.count }
      let greatest = bytes.max { ($0.value, $1.key) < ($1.value, $0.key) }
      return greatest.map { TensorType.name($0.key) } ?? "unknown"
    }
  }
}

/// A buffer that several threads write in disjoint places, which the one who shares it sees to.
struct UncheckedBuffer<Element>: @unchecked Sendable {
  let buffer: UnsafeMutableBufferPointer<Element>

  init(_ buffer: UnsafeMutableBufferPointer<Element>) { self.buffer = buffer }
}

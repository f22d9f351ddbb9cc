import Foundation
import InferenceCore
import Testing

/// What comes in the place of a model's file: made to harm, of another kind, or changed under the engine's feet.
@Suite struct HostileFileTests {
  /// A header with everything that is read from one, and a few bytes of tensors.
  private static func small() -> [UInt8] {
    var gguf = GGUFBuilder()
    gguf.text("general.architecture", "llama")
    let sizes = [
      ("embedding_length", 32), ("block_count", 1), ("attention.head_count", 1), ("feed_forward_length", 32),
      ("context_length", 64),
    ]
    for (key, value) in sizes { gguf.number("llama.\(key)", UInt32(value)) }
    gguf.real("llama.rope.freq_base", 1e4)
    gguf.number("general.alignment", 32)
    gguf.text("tokenizer.ggml.model", "llama")
    gguf.texts("tokenizer.ggml.tokens", ["<unk>", "<s>", "</s>", "▁", "a", "b", "ab", "<0x41>", "日", "  "])
    gguf.reals("tokenizer.ggml.scores", [0, 0, 0, -1, -2, -3, -4, 0, -5, 0])
    gguf.integers("tokenizer.ggml.token_type", [2, 3, 3, 1, 1, 1, 1, 6, 1, 4])
    gguf.flag("tokenizer.ggml.add_space_prefix", false)
    for name in ["output_norm.weight", "blk.0.attn_norm.weight", "blk.0.ffn_norm.weight"] {
      gguf.tensor(name, .f32, [32], [UInt8](repeating: 1, count: 128))
    }
    gguf.tensor("token_embd.weight", .q8_0, [32, 10], [UInt8](repeating: 1, count: 340))
    return gguf.bytes()
  }

  /// Reads what is read before weights are laid out, the vocabulary too if so wanted; gives the code of the refusal.
  private static func read(_ bytes: UnsafeRawBufferPointer, vocabulary: Bool = true) -> String? {
    do throws(InferenceError) {
      let gguf = try GGUFFile(MappedFile(inMemory: bytes, path: "hostile.gguf"))
      _ = try Hyperparameters(gguf)
      guard vocabulary else { return nil }
      let tokenizer = try Tokenizer(gguf)
      let tokens = tokenizer.encode("ab <s>  日\n", authored: true)
      _ = tokenizer.decode(tokens)
      return nil
    } catch {
      return error.sentence.contains("hostile.gguf") ? error.code : "no sentence"
    }
  }

  private static let numbers: [UInt64] = [
    0, 1, 2, 3, 8, 9, 12, 13, 31, 33, 255, 256, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 1 << 32, 1 << 62, 1 << 63,
    (1 << 63) - 1, UInt64.max, UInt64.max - 7, 1 << 59, 0x7ff8_0000_0000_0000,
  ]

  /// Changes the bytes in one way out of several; gives the length that is left.
  private static func mutate(_ bytes: UnsafeMutableRawBufferPointer, _ dice: inout Dice) -> Int {
    let roll = dice.next()
    let place = Int((roll >> 8) % UInt64(bytes.count))
    let value = numbers[Int((roll >> 40) % UInt64(numbers.count))]
    switch roll & 7 {
    case 0: return place
    case 1: bytes[place] ^= 1 << UInt8(roll >> 56 & 7)
    case 2: bytes[place] = UInt8(truncatingIfNeeded: roll >> 48)
    case 3, 4: bytes.storeBytes(of: value, toByteOffset: min(place, bytes.count - 8), as: UInt64.self)
    case 5:
      let word = UInt32(truncatingIfNeeded: value)
      bytes.storeBytes(of: word, toByteOffset: min(place, bytes.count - 4), as: UInt32.self)
    default:
      // A piece of the file over another.
      let count = min(Int(roll >> 52 & 63), bytes.count - place)
      let source = Int((roll >> 24) % UInt64(bytes.count - count + 1))
      let piece = Array(bytes[source..<source + count])
      UnsafeMutableRawBufferPointer(rebasing: bytes[place..<place + count]).copyBytes(from: piece)
    }
    return bytes.count
  }

  @Test func aMillionDamagedHeadersAreReadOrRefused() {
    let whole = Self.small()
    let seed = UInt64.random(in: 0...UInt64.max)
    print("aMillionDamagedHeadersAreReadOrRefused: seed \(seed)")
    var dice = Dice(seed: seed)
    var found: [String: Int] = [:]
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: whole.count, alignment: 16)
    defer { buffer.deallocate() }
    #expect(whole.withUnsafeBytes { Self.read($0) } == nil, "as it is, it is read")
    let header = UnsafeMutableRawBufferPointer(rebasing: buffer[..<(whole.count - 400)])
    for round in 0..<1_000_000 {
      buffer.copyBytes(from: whole)
      var length = whole.count
      for _ in 0...dice.next() & 1 {
        let left = Self.mutate(header, &dice)
        if left < header.count { length = min(length, left) }
      }
      // A tokenizer costs more than all else: every sixteenth.
      let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<length])
      let code = Self.read(bytes, vocabulary: round % 16 == 0) ?? "read"
      found[code, default: 0] += 1
    }
    print(found.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", "))
    #expect(found["no sentence"] == nil)
    #expect(found.count >= 6, "many kinds of damage were found")
  }

  /// A header of `keys` and `tensors` that are given as bytes.
  private func refusal(keys: [[UInt8]] = [], tensors: [[UInt8]] = [], data: Int = 512) -> String? {
    var file = Array("GGUF".utf8) + TinyModel.little(UInt32(3)) + TinyModel.little(UInt64(tensors.count))
    file += TinyModel.little(UInt64(keys.count)) + keys.joined() + tensors.joined()
    while file.count % 32 != 0 { file.append(0) }
    file += [UInt8](repeating: 0, count: data)
    return file.withUnsafeBytes { bytes in
      do throws(InferenceError) {
        _ = try GGUFFile(MappedFile(inMemory: bytes, path: "hostile.gguf"))
        return nil
      } catch { return error.sentence }
    }
  }

  private func text(_ bytes: [UInt8]) -> [UInt8] { TinyModel.little(UInt64(bytes.count)) + bytes }

  private func tensor(_ name: String, _ shape: [UInt64], at offset: UInt64) -> [UInt8] {
    text(Array(name.utf8)) + TinyModel.little(UInt32(shape.count)) + shape.flatMap { TinyModel.little($0) }
      + TinyModel.little(UInt32(0)) + TinyModel.little(offset)
  }

  @Test(arguments: [UInt64.max, 1 << 63, (1 << 63) - 1, 1 << 62, 1 << 61, 1 << 32] as [UInt64])
  func countsBeyondTheFileAreRefused(_ count: UInt64) {
    let number = TinyModel.little(count)
    let name = text(Array("key".utf8))
    let array = name + TinyModel.little(UInt32(9))
    #expect(refusal(keys: [number + [1, 2, 3]]) != nil, "a name's length")
    #expect(refusal(keys: [name + TinyModel.little(UInt32(8)) + number]) != nil, "a text's length")
    for type: UInt32 in [0, 4, 8, 12] {
      #expect(refusal(keys: [array + TinyModel.little(type) + number]) != nil, "an array of type \(type)")
    }
    #expect(refusal(keys: [array + TinyModel.little(UInt32(9)) + number]) != nil, "an array of arrays")
    #expect(refusal(tensors: [tensor("a", [count], at: 0)]) != nil, "a dimension")
    #expect(refusal(tensors: [tensor("a", [1 << 31, 1 << 31, 1 << 31, 1 << 31], at: 0)]) != nil, "a product")
    #expect(refusal(tensors: [tensor("a", [8], at: count & ~31)]) != nil, "an offset")
  }

  @Test func tensorsMayNotLieOverEachOther() {
    #expect(refusal(tensors: [tensor("a", [8], at: 0), tensor("b", [8], at: 32)]) == nil)
    #expect(refusal(tensors: [tensor("b", [8], at: 32), tensor("a", [8], at: 0)]) == nil)
    #expect(refusal(tensors: [tensor("a", [16], at: 0), tensor("b", [8], at: 32)])?.contains("over another") == true)
    #expect(refusal(tensors: [tensor("a", [8], at: 0), tensor("b", [8], at: 0)])?.contains("over another") == true)
    #expect(refusal(tensors: [tensor("a", [8], at: 4)])?.contains("multiple of 32") == true)
    #expect(refusal(tensors: [tensor("a", [8], at: 0), tensor("a", [8], at: 32)])?.contains("twice") == true)
  }

  @Test func namesAreTextAndComeOnce() {
    let value = TinyModel.little(UInt32(0)) + [7]
    #expect(refusal(keys: [text([0x61]) + value, text([0x62]) + value]) == nil)
    #expect(refusal(keys: [text([0x61]) + value, text([0x61]) + value])?.contains("key a twice") == true)
    for broken: [UInt8] in [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf0, 0x9f]] {
      #expect(refusal(keys: [text(broken) + value])?.contains("no text") == true)
    }
    #expect(refusal(keys: [text([UInt8](repeating: 0x61, count: 1 << 16)) + value])?.contains("too long") == true)
  }

  @Test func onlyRegularFilesAreOpened() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    #expect(mkfifo("\(folder)/pipe.gguf", 0o600) == 0)
    try FileManager.default.createSymbolicLink(atPath: "\(folder)/loop.gguf", withDestinationPath: "loop.gguf")
    try FileManager.default.createSymbolicLink(atPath: "\(folder)/gone.gguf", withDestinationPath: "nowhere.gguf")
    try FileManager.default.createSymbolicLink(atPath: "\(folder)/zero.gguf", withDestinationPath: "/dev/zero")
    let expected = [
      ("\(folder)/pipe.gguf", "model_unreadable"), ("\(folder)/loop.gguf", "model_unreadable"),
      ("\(folder)/gone.gguf", "model_missing"), ("\(folder)/zero.gguf", "model_unreadable"),
      (folder, "model_unreadable"),
    ]
    for (path, code) in expected {
      let error = #expect(throws: InferenceError.self) { try MappedFile(path) }
      #expect(error?.code == code)
      #expect(error?.sentence.contains(path) == true)
    }
    let file = try TemporaryFile(TinyModel().bytes())
    try FileManager.default.createSymbolicLink(atPath: "\(folder)/link.gguf", withDestinationPath: file.path)
    #expect(try MappedFile("\(folder)/link.gguf").stamp == MappedFile(file.path).stamp, "a link is its file")
  }

  @Test func aLoadedModelNeedsItsFileNoMore() throws {
    for tied in [true, false] {
      var tiny = TinyModel()
      tiny.tied = tied
      let file = try TemporaryFile(tiny.bytes())
      let pool = try WorkerPool(threads: 2)
      let model = try Model(path: file.path, pool: pool)
      let tokens = ReferenceTests.text(40, seed: 3)
      let expected = try FamilyTests.kernels(model, pool, tokens, batches: [8])
      // Other bytes in place, then none: whoever still read the file would be ended by SIGBUS.
      let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: file.path))
      try handle.write(contentsOf: Data(repeating: 0x55, count: tiny.bytes().count))
      #expect(try FamilyTests.kernels(model, pool, tokens, batches: [8]) == expected)
      try handle.truncate(atOffset: 0)
      try handle.close()
      #expect(try FamilyTests.kernels(model, pool, tokens, batches: [8]) == expected)
      #expect(model.tokenizer.encode("abc").isEmpty == false)
    }
  }

  @Test func aFileThatChangesWhileItIsReadIsRefused() throws {
    let file = try TemporaryFile(TinyModel().bytes())
    let mapped = try MappedFile(file.path)
    try mapped.check()
    let handle = try FileHandle(forUpdating: URL(fileURLWithPath: file.path))
    try handle.seekToEnd()
    try handle.write(contentsOf: Data([0]))
    try handle.close()
    let error = #expect(throws: InferenceError.self) { try mapped.check() }
    #expect(error?.code == "model_changed")
    #expect(error?.sentence.contains("renaming") == true)
    let pool = try WorkerPool(threads: 1)
    let refused = #expect(throws: InferenceError.self) { try Model(mapped, pool: pool) }
    #expect(refused?.code == "model_changed")
  }

  @Test func aNumberInAFileDoesNotMakeALargeTable() {
    #expect(Model.mostPositions(rotated: 64) >= 1 << 20)
    #expect(Model.mostPositions(rotated: 128) == 1 << 20)
    #expect(Model.mostPositions(rotated: 512) == 1 << 18, "half a gibibyte of rotations, not two")
  }
}

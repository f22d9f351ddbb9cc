/// A GGUF file: its keys and where its tensors lie.
///
/// Format: github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3. Nothing is trusted: every count is held
/// against the bytes that are there before anything is allocated for it.
package struct GGUFFile {
  /// One tensor: `shape` as stored, fastest dimension first.
  package struct Tensor {
    package let name: String
    package let type: UInt32
    package let shape: [Int]
    package let bytes: UnsafeRawBufferPointer
  }

  package let file: MappedFile
  package let version: UInt32
  package private(set) var keys: [String: GGUFValue] = [:]
  package private(set) var tensors: [String: Tensor] = [:]

  /// Reads the header of a mapped file.
  package init(_ file: MappedFile) throws(InferenceError) {
    self.file = file
    do {
      var cursor = ByteCursor(file.bytes)
      guard try cursor.integer(UInt32.self) == 0x4655_4747 else {
        throw InferenceError.model(
          file.path, "is not a GGUF file: it does not begin with \"GGUF\". Give a .gguf file.", code: "not_gguf")
      }
      version = try cursor.integer(UInt32.self)
      guard version == 2 || version == 3 else {
        throw InferenceError.model(
          file.path, "is GGUF version \(version); this engine reads 2 and 3. Convert it again.", code: "gguf_version")
      }
      let tensorCount = try cursor.integer(UInt64.self)
      let keyCount = try cursor.integer(UInt64.self)
      // A key takes at least 13 bytes and a tensor 24: greater counts cannot be true.
      guard keyCount <= UInt64(cursor.remaining / 13), tensorCount <= UInt64(cursor.remaining / 24) else {
        throw InferenceError.model(
          file.path, "claims \(keyCount) keys and \(tensorCount) tensors, more than its size allows: fetch it again.",
          code: "model_truncated")
      }
      for _ in 0..<keyCount {
        let name = try Self.name(&cursor, file.path)
        guard keys[name] == nil else {
          throw InferenceError.model(file.path, "gives the key \(name) twice: fetch it again.")
        }
        keys[name] = try Self.value(&cursor, try Self.type(&cursor, file.path), file.path)
      }
      try readTensors(Int(tensorCount), &cursor)
    } catch let error as InferenceError {
      throw error
    } catch let end as ByteCursor.PastEnd {
      throw .model(
        file.path, "ends within its header (at byte \(end.offset) of \(file.bytes.count)): fetch it again.",
        code: "model_truncated")
    } catch {
      throw .model(file.path, "cannot be read: \(error)")
    }
  }

  /// The name of a key or a tensor.
  private static func name(_ cursor: inout ByteCursor, _ path: String) throws -> String {
    let bytes = try cursor.take(try cursor.integer(UInt64.self))
    guard bytes.count < 1 << 16, let name = String(validating: bytes, as: UTF8.self) else {
      throw InferenceError.model(path, "has a name in its header that is too long or no text: fetch it again.")
    }
    return name
  }

  private static func type(_ cursor: inout ByteCursor, _ path: String) throws -> GGUFValueType {
    let number = try cursor.integer(UInt32.self)
    guard let type = GGUFValueType(rawValue: number) else {
      throw InferenceError.model(path, "has a value of unknown type \(number) in its header: fetch it again.")
    }
    return type
  }

  private static func value(
    _ cursor: inout ByteCursor, _ type: GGUFValueType, _ path: String
  ) throws -> GGUFValue {
    switch type {
    case .uint8: .unsigned(UInt64(try cursor.integer(UInt8.self)))
    case .int8: .signed(Int64(try cursor.integer(Int8.self)))
    case .uint16: .unsigned(UInt64(try cursor.integer(UInt16.self)))
    case .int16: .signed(Int64(try cursor.integer(Int16.self)))
    case .uint32: .unsigned(UInt64(try cursor.integer(UInt32.self)))
    case .int32: .signed(Int64(try cursor.integer(Int32.self)))
    case .uint64: .unsigned(try cursor.integer(UInt64.self))
    case .int64: .signed(try cursor.integer(Int64.self))
    case .float32: .float(Double(Float(bitPattern: try cursor.integer(UInt32.self))))
    case .float64: .float(Double(bitPattern: try cursor.integer(UInt64.self)))
    case .bool: .bool(try cursor.integer(UInt8.self) != 0)
    case .string: .text(try cursor.take(try cursor.integer(UInt64.self)))
    case .array: .array(try array(&cursor, path))
    }
  }

  private static func array(_ cursor: inout ByteCursor, _ path: String) throws -> GGUFArray {
    let element = try type(&cursor, path)
    let count = try cursor.integer(UInt64.self)
    if let size = element.size {
      guard count <= UInt64(cursor.remaining / size) else { throw ByteCursor.PastEnd(offset: cursor.offset) }
      return GGUFArray(type: element, count: Int(count), elements: try cursor.take(count * UInt64(size)))
    }
    guard element == .string else {
      throw InferenceError.model(path, "has arrays within arrays in its header, which this engine does not read.")
    }
    guard count <= UInt64(cursor.remaining / 8) else { throw ByteCursor.PastEnd(offset: cursor.offset) }
    let start = cursor.offset
    for _ in 0..<count { _ = try cursor.take(try cursor.integer(UInt64.self)) }
    let elements = UnsafeRawBufferPointer(rebasing: cursor.bytes[start..<cursor.offset])
    return GGUFArray(type: element, count: Int(count), elements: elements)
  }

  /// Reads the table of tensors and checks that each lies within the file.
  private mutating func readTensors(_ count: Int, _ cursor: inout ByteCursor) throws {
    let path = file.path
    var entries: [(name: String, type: UInt32, shape: [Int], offset: UInt64)] = []
    for _ in 0..<count {
      let name = try Self.name(&cursor, path)
      let rank = try cursor.integer(UInt32.self)
      guard (1...4).contains(rank) else {
        throw InferenceError.model(path, "gives tensor \(name) \(rank) dimensions: fetch it again.")
      }
      var shape: [Int] = []
      for _ in 0..<rank {
        let size = try cursor.integer(UInt64.self)
        guard size > 0, size <= 1 << 31 else {
          throw InferenceError.model(path, "gives tensor \(name) a dimension of \(size): fetch it again.")
        }
        shape.append(Int(size))
      }
      entries.append((name, try cursor.integer(UInt32.self), shape, try cursor.integer(UInt64.self)))
    }
    let alignment = keys["general.alignment"]?.count ?? 32
    guard alignment > 0, alignment <= 1 << 20, alignment & (alignment - 1) == 0 else {
      throw InferenceError.model(path, "asks for an alignment of \(alignment): fetch it again.")
    }
    let start = (cursor.offset + alignment - 1) / alignment * alignment
    // Where the tensor before it ends, by their places.
    var end = 0
    for (name, type, shape, offset) in entries.sorted(by: { $0.offset < $1.offset }) {
      guard let kind = TensorType(rawValue: type) else {
        throw InferenceError.model(
          path,
          "stores \(name) as \(TensorType.name(type)); this engine runs \(TensorType.names). "
            + "Choose another quantisation of the model.", code: "unsupported_type")
      }
      guard let size = kind.bytes(shape) else {
        throw InferenceError.model(path, "gives tensor \(name) an impossible shape \(shape): fetch it again.")
      }
      guard start <= file.bytes.count, offset <= UInt64(file.bytes.count - start),
        size <= file.bytes.count - start - Int(offset)
      else {
        throw InferenceError.model(
          path, "is truncated: tensor \(name) lies beyond its \(file.bytes.count) bytes. Fetch it again.",
          code: "model_truncated")
      }
      guard tensors[name] == nil else {
        throw InferenceError.model(path, "names tensor \(name) twice: fetch it again.")
      }
      guard Int(offset) % alignment == 0, Int(offset) >= end else {
        throw InferenceError.model(
          path, "lays tensor \(name) over another one, or not at a multiple of \(alignment) bytes: fetch it again.")
      }
      end = Int(offset) + size
      let first = start + Int(offset)
      let bytes = UnsafeRawBufferPointer(rebasing: file.bytes[first..<first + size])
      tensors[name] = Tensor(name: name, type: type, shape: shape, bytes: bytes)
    }
  }
}

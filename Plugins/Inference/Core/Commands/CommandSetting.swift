#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// What a command of this layer gets from whoever runs it.
package struct CommandSetting {
  /// The key that signs: 32 bytes of Ed25519.
  package var provider: () throws -> [UInt8]
  /// Signs a message with it: 64 bytes.
  package var sign: ([UInt8]) throws -> [UInt8]
  /// A number that nobody can foresee.
  package var seed: () throws -> UInt64
  package var isCancelled: () -> Bool
  /// Shows a message: `progress`, `text` or `result`, as the host's `offline.h` has them.
  package var emit: (JSONValue) throws -> Void

  package init(
    provider: @escaping () throws -> [UInt8], sign: @escaping ([UInt8]) throws -> [UInt8],
    seed: @escaping () throws -> UInt64, isCancelled: @escaping () -> Bool = { false },
    emit: @escaping (JSONValue) throws -> Void
  ) {
    (self.provider, self.sign, self.seed) = (provider, sign, seed)
    (self.isCancelled, self.emit) = (isCancelled, emit)
  }

  func text(_ text: String) throws {
    try emit(.object([.init("type", .string("text")), .init("text", .string(text))]))
  }

  func result(_ members: [JSONValue.Member]) throws {
    try emit(.object([.init("type", .string("result"))] + members))
  }

  func progress(_ what: String, _ done: Int, of total: Int) throws {
    try emit(
      .object([
        .init("type", .string("progress")), .init("what", .string(what)), .init("done", .number("\(done)")),
        .init("total", .number("\(total)")),
      ]))
  }
}

/// Which processors a command computes with.
struct CommandMachine {
  let threads: Int
  let path: Int32

  /// Takes `threads` and `isa`.
  init(_ fields: inout RequestFields) throws(InferenceError) {
    let threads = try fields.whole("threads", Int.self, "a whole number from 1 to 64")
    if let threads, !(1...64).contains(threads) {
      throw GenerationRequest.wrong("threads", "must be a whole number from 1 to 64")
    }
    self.threads = threads ?? InstructionSet.processors
    path = try InstructionSet.path(named: try fields.text("isa")) ?? InstructionSet.best
  }

  var json: [JSONValue.Member] {
    [.init("isa", .string(InstructionSet.name(path))), .init("threads", .number("\(threads)"))]
  }
}

/// Files that commands name.
enum CommandFile {
  /// The path of a model's file, if there is one.
  static func model(_ path: String) throws(InferenceError) -> String {
    let path = ModelFolder.expanded(path)
    guard access(path, F_OK) == 0 else {
      throw InferenceError(.notFound, "model_missing", "There is no file \(path): correct `--model`.")
    }
    return path
  }

  /// Writes a text that no reader sees in part.
  static func write(_ text: String, to path: String) throws(InferenceError) {
    let draft = path + ".part"
    let reason: String
    if let file = fopen(draft, "w") {
      let written = fputs(text, file) >= 0
      if fclose(file) == 0, written, rename(draft, path) == 0 { return }
      reason = String(cString: strerror(errno))
      unlink(draft)
    } else {
      reason = String(cString: strerror(errno))
    }
    throw InferenceError(
      .badModel, "not_written", "The file \(path) cannot be written (\(reason)): name another place for it.")
  }
}

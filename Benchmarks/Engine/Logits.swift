import InferenceCore

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Writes what a model predicts to standard output and ends the program: tests hold it against other implementations.
///
/// `texts` is a file with one text a line, as token ids between spaces. For each text, one row for each position but
/// the last: [vocabulary] logits in binary32 of this machine's byte order.
func writeLogits(_ model: Model, _ pool: WorkerPool, texts: String) throws -> Never {
  let rows = 64
  let session = try Session(model, pool: pool, logitRows: rows)
  let file = try MappedFile(texts)
  let lines = withExtendedLifetime(file) { String(decoding: file.bytes, as: UTF8.self).split(separator: "\n") }
  for line in lines {
    let tokens = line.split(separator: " ").compactMap { Int32($0) }
    let cache = try SequenceCache(model, positions: tokens.count)
    for start in stride(from: 0, to: tokens.count - 1, by: rows) {
      let logits = try session.step(
        (start..<min(start + rows, tokens.count - 1)).map {
          Session.Column(token: tokens[$0], position: $0, cache: cache, wantsLogits: true)
        })
      var rest = UnsafeRawBufferPointer(logits)[...]
      while !rest.isEmpty {
        let count = write(STDOUT_FILENO, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
        guard count > 0 else { exit(1) }
        rest = rest.dropFirst(count)
      }
    }
  }
  exit(0)
}

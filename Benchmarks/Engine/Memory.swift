import Foundation
import InferenceCore

/// How many bytes a second the threads of a pool can read from memory: the bound of decoding, which reads every weight
/// once a token.
struct MemoryFigures {
  private let pool: WorkerPool
  /// Far larger than a processor's caches.
  private let words = 32 << 20
  private let buffer: UnsafeMutablePointer<UInt64>
  private var rates: [Double] = []

  init(_ pool: WorkerPool) {
    self.pool = pool
    buffer = .allocate(capacity: words)
    buffer.initialize(repeating: 1, count: words)
  }

  /// The fastest of three passes, so that what decoding is held against is not too low.
  mutating func round(keep: Bool) {
    let fastest = (0..<3).map { _ in seconds(pass) }.min() ?? 0
    if keep { rates.append(Double(words * 8) / fastest / 1e9) }
  }

  private func pass() {
    let share = words / pool.threads / 64 * 64
    let buffer = UInt(bitPattern: buffer)
    pool.forEach(below: pool.threads) { thread in
      guard let start = UnsafePointer<SIMD8<UInt64>>(bitPattern: buffer + UInt(thread * share * 8)) else { return }
      var sums = (SIMD8<UInt64>(), SIMD8<UInt64>())
      for index in stride(from: 0, to: share / 8, by: 2) {
        sums.0 &+= start[index]
        sums.1 &+= start[index + 1]
      }
      precondition(sums.0.wrappedSum() &+ sums.1.wrappedSum() == UInt64(share), "memory gave what was not written")
    }
  }

  func report(threads: Int) { EngineBench.report("engine.memory.t\(threads)", median(rates), "GB/s", rates.count) }
}

/// Reports what the process holds beside the bytes of the model's file once 2,048 positions have been read.
func reportResidence(_ session: Session, _ model: Model) throws {
  let cache = try SequenceCache(model, positions: 2048)
  _ = try read(session, (0..<2048).map { Int32(1000 + $0 * 37 % 40000) }, cache)
  let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
  let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
  guard let kibibytes = line?.split(separator: " ").dropFirst().first.flatMap({ Double($0) }) else { return }
  withExtendedLifetime(cache) {
    report("engine.rss_above_file_mb", (kibibytes * 1024 - Double(model.file.bytes.count)) / 1e6, "MB", 1)
  }
}

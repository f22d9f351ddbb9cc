import Foundation
import InferenceCore

/// Files beside the tests.
enum Fixture {
  static func url(_ name: String) -> URL {
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Fixtures/\(name)")
  }

  static func data(_ name: String) throws -> Data { try Data(contentsOf: url(name)) }

  static func rows<Row: Decodable>(_ name: String, of: Row.Type) throws -> [Row] {
    try JSONDecoder().decode([Row].self, from: data(name))
  }
}

/// The model that `make test` fetches.
enum RealModel {
  struct Missing: Error, CustomStringConvertible {
    let path: String
    var description: String {
      "The test model is not at \(path): run `make test`, which fetches it, or set SYMBOLON_MODEL."
    }
  }

  static func path() throws -> String {
    let home = ProcessInfo.processInfo.environment["HOME"] ?? ""
    let path =
      ProcessInfo.processInfo.environment["SYMBOLON_MODEL"]
      ?? "\(home)/.symbolon/models/SmolLM2-135M-Instruct.Q4_1.gguf"
    guard FileManager.default.fileExists(atPath: path) else { throw Missing(path: path) }
    return path
  }

  /// Loaded once for all tests.
  static let loaded = Result { try Model(path: path(), pool: pool.get()) }
  static let pool = Result { try WorkerPool(threads: 2) }
}

/// A generator with a printed seed, for tests that roll dice.
struct Dice: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  mutating func float(_ range: ClosedRange<Float>) -> Float { Float.random(in: range, using: &self) }
}

/// A file that is gone after the test.
final class TemporaryFile {
  let path: String

  init(_ bytes: [UInt8], suffix: String = ".gguf") throws {
    path = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString + suffix).path
    try Data(bytes).write(to: URL(fileURLWithPath: path))
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// What a case of the conformance test says of a plugin.
enum Verdict: Equatable, Sendable {
  case success
  /// Allowed, and likely not what the author wants.
  case warning(String)
  /// The contract is broken.
  case failed(String)
  /// Does not apply to this plugin, or cannot be tried here.
  case skipped(String)
}

/// How a case ended, as its parent sees it.
enum Outcome: String, CaseIterable, Sendable {
  case success, warning, failed, skipped, crashed
  case timedOut = "timed out"

  /// True when the plugin should not be used.
  var isBad: Bool { self == .failed || self == .crashed || self == .timedOut }
}

/// A case that ends before its last line.
struct CaseEnd: Error {
  let verdict: Verdict

  static func fail(_ text: String) -> CaseEnd { CaseEnd(verdict: .failed(text)) }
  static func skip(_ text: String) -> CaseEnd { CaseEnd(verdict: .skipped(text)) }
}

/// One question that the conformance test asks.
struct ConformanceCase: Sendable {
  /// A room and a fact, for example `method.results-once`.
  let name: String
  /// What holds when it succeeds.
  let summary: String
  /// A case without whose success this one says nothing.
  var needs: String?
  let run: @Sendable (CaseContext) throws(CaseEnd) -> Verdict

  init(
    _ name: String, _ summary: String, needs: String? = nil,
    run: @escaping @Sendable (CaseContext) throws(CaseEnd) -> Verdict
  ) {
    (self.name, self.summary, self.needs, self.run) = (name, summary, needs, run)
  }

  /// All cases, in the order in which they run.
  static let all: [ConformanceCase] =
    FileCases.all + EntryCases.all + DescriptionCases.all + SealCases.all + LifeCases.all + MethodCases.first
    + MethodCases.sweeps
    + ResultCases.all + MethodCases.careful + LifeCases.afterwards + ProcessCases.all + StateCases.all
}

/// Numbers that a seed determines: the same seed gives the same case.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  /// SplitMix64 (Steele, Lea, Flood 2014).
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  /// A number below `limit`, which is not 0.
  mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(limit)) }
}

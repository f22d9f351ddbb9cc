/// What waits for a model, and how long a caller who is turned away had better wait.
package struct QueueOutlook: Sendable {
  /// Jobs that have not begun.
  package private(set) var count = 0
  private var promptTokens = 0
  private var answerTokens = 0
  private var refused = 0
  private var activeCount = 0
  private var activeSeconds = 0.0
  private var pace = Pace()

  package init() {}

  mutating func add(_ job: Job) {
    count += 1
    promptTokens += job.prompt.count
    answerTokens += job.mostAnswerTokens
  }

  mutating func remove(_ job: Job) {
    count -= 1
    promptTokens -= job.prompt.count
    answerTokens -= job.mostAnswerTokens
    refused = max(0, refused - 1)
  }

  /// Takes note of what is running and how fast.
  mutating func update(pace: Pace, activeCount: Int, activeSeconds: Double) {
    self.pace = pace
    self.activeCount = activeCount
    self.activeSeconds = activeSeconds
  }

  /// Turns a caller away; the seconds after which a place should be free for him.
  ///
  /// A place comes free each time a job ends, and those who were turned away before him come before him.
  package mutating func refuse() -> Int {
    let queued =
      count == 0
      ? 0
      : Double(count)
        * pace.seconds(
          promptTokens: promptTokens / count, mostAnswerTokens: answerTokens / count)
    let interval = (queued + activeSeconds) / Double(max(1, count + activeCount))
    refused += 1
    return Int((interval * Double(refused)).rounded(.up).clamped(to: 1...600))
  }
}

extension Double {
  fileprivate func clamped(to range: ClosedRange<Double>) -> Double {
    self > range.lowerBound ? min(self, range.upperBound) : range.lowerBound
  }
}

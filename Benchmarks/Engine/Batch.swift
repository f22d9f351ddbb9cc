import Foundation
import InferenceCore
import Synchronization

/// Eight chats at once through the whole engine: tokens of all answers a second, the time for prompts included.
///
/// Nothing is guessed or taken from a cache, and the tokens that end a text are ruled out, so that both sides compute the
/// same number of steps. `engine_peer.py` asks the same.
struct BatchFigures {
  private static let subjects = [
    "a pendulum clock", "a steam engine", "a honey bee", "a suspension bridge", "the tide", "a printing press",
    "a violin", "yeast in bread",
  ]
  private let engine: InferenceEngine

  init(_ arguments: Arguments) throws {
    var options = InferenceEngine.Options()
    options.threads = arguments.threads
    options.speculation = false
    options.prefixCache = false
    engine = try InferenceEngine([InferenceEngine.Source(path: arguments.model, id: "model")], options: options)
  }

  /// Tokens a second of one round.
  func round() throws -> Double {
    let written = Mutex(0)
    let failure = Mutex<(any Error)?>(nil)
    let engine = engine
    let time = seconds {
      let done = DispatchGroup()
      for subject in Self.subjects {
        done.enter()
        Thread.detachNewThread {
          defer { done.leave() }
          do {
            try engine.generate(Self.request(subject)) { event in
              guard case .end(_, _, let tokens, _, _) = event else { return }
              written.withLock { $0 += tokens }
            }
          } catch { failure.withLock { $0 = error } }
        }
      }
      done.wait()
    }
    if let error = failure.withLock({ $0 }) { throw error }
    return Double(written.withLock { $0 }) / time
  }

  private static func request(_ subject: String) -> GenerationRequest {
    var sampling = SamplingParameters()
    sampling.temperature = 0
    // <|endoftext|> and <|im_end|> of SmolLM2.
    sampling.bias = [.init(token: 0, value: -100), .init(token: 2, value: -100)]
    let message = ChatMessage(role: "user", content: "Explain in a few plain sentences how \(subject) works.")
    return GenerationRequest(prompt: .messages([message]), maxTokens: 64, sampling: sampling)
  }

  func close() { engine.close() }
}

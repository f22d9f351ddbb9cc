import InferenceCore
import PluginKit
import Synchronization

/// Tells the log how far the loading of a model is.
///
/// The lines carry `percent`, which a host that writes to a terminal shows as a bar.
final class LoadReport: Sendable {
  /// Below this time nobody waits for a bar.
  private static let quietSeconds = 0.5
  /// A line for each step of so many percent.
  private static let step = 5

  private let host: Host
  /// The last percent that was told, by model.
  private let told = Mutex([String: Int]())

  init(_ host: Host) { self.host = host }

  /// Takes note of progress; called on the threads that load.
  func hear(_ progress: InferenceEngine.LoadProgress) {
    let percent = Int(progress.share * 100)
    let isNews = told.withLock { told in
      if progress.stage == .ready {
        return told.removeValue(forKey: progress.model) != nil
      }
      guard progress.seconds > Self.quietSeconds, percent >= (told[progress.model] ?? -Self.step) + Self.step else {
        return false
      }
      told[progress.model] = percent
      return true
    }
    guard isNews else { return }
    host.log.info(
      "loading model",
      ["model": progress.model, "percent": "\(percent)", "stage": progress.stage.rawValue])
  }
}

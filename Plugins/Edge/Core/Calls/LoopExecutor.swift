import NIOCore

/// Runs a connection's tasks on its event loop.
///
/// No hop between thread pools for each step; and on Linux the shared cooperative pool is Dispatch's global queue, which
/// any blocking layer of the process could exhaust.
final class LoopExecutor: TaskExecutor {
  private let loop: any EventLoop

  init(_ loop: any EventLoop) { self.loop = loop }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    loop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
  }
}

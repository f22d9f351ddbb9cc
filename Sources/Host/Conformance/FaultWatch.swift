import Glibc
import Synchronization

/// Tells a wild access to lent memory from any other crash.
///
/// The ranges lie in memory that is allocated once, so that the signal handler only reads and writes plain words.
enum FaultWatch {
  private struct Range {
    var start: UInt
    var length: UInt
    var isPoisoned: Bool
  }

  private static let capacity = 1 << 16
  // Proof: allocated before the first call; a row is written by the thread that lends and read when all is lost.
  nonisolated(unsafe) private static let ranges = UnsafeMutablePointer<Range>.allocate(capacity: capacity)
  private static let count = Atomic<Int>(0)
  // Proof: written once, before a handler can run.
  nonisolated(unsafe) private static var reportFile: Int32 = -1

  /// Begins to watch; a fault is reported to this file.
  static func install(reportingTo file: Int32) {
    reportFile = file
    ranges.initialize(repeating: Range(start: 0, length: 0, isPoisoned: false), count: capacity)
    count.store(0, ordering: .relaxed)
    var action = sigaction()
    action.__sigaction_handler.sa_sigaction = { signal, info, _ in
      FaultWatch.report(UInt(bitPattern: info?.pointee._sifields._sigfault.si_addr))
      // Not ours: the kernel's own end of the process, at the same instruction.
      var action = sigaction()
      action.__sigaction_handler.sa_handler = SIG_DFL
      sigaction(signal, &action, nil)
    }
    action.sa_flags = Int32(bitPattern: UInt32(SA_SIGINFO))
    sigaction(SIGSEGV, &action, nil)
    sigaction(SIGBUS, &action, nil)
  }

  /// Remembers lent pages; gives their number.
  static func lend(_ start: UnsafeMutableRawPointer, _ length: Int) -> Int {
    guard reportFile >= 0 else { return -1 }
    let number = count.wrappingAdd(1, ordering: .relaxed).oldValue
    guard number < capacity else { return -1 }
    ranges[number] = Range(start: UInt(bitPattern: start), length: UInt(length), isPoisoned: false)
    return number
  }

  static func poison(_ number: Int) {
    if number >= 0 { ranges[number].isPoisoned = true }
  }

  private static func report(_ address: UInt) {
    for index in 0..<min(count.load(ordering: .relaxed), capacity)
    where address >= ranges[index].start && address - ranges[index].start < ranges[index].length {
      let text: StaticString =
        ranges[index].isPoisoned
        ? #"{"outcome":"crashed","message":"It uses an argument after the call has returned: copy what must stay."}"#
        : #"{"outcome":"crashed","message":"It writes into an argument, or reads beyond its end: slices are only borrowed."}"#
      write(reportFile, text.utf8Start, text.utf8CodeUnitCount)
      _exit(0)
    }
  }
}

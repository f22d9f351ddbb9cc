import CProbe
import Glibc
import PluginAPI
import Synchronization

/// Calls of every method.
enum Sweep {
  /// Nanoseconds after which a sweep takes what it has seen.
  private static let budget: UInt64 = 4_000_000_000

  /// Calls each method `rounds` times with arguments of this kind; ends at the first fault of one of the rules.
  static func run(
    _ context: CaseContext, _ subject: Subject, _ profile: ArgumentSource.Profile, rounds: Int,
    _ options: CallOptions = CallOptions(), rules: Set<Rule>
  ) throws(CaseEnd) -> Verdict {
    guard !subject.methods.isEmpty else { return .skipped("It offers no methods.") }
    let begin = MonotonicClock.nanoseconds
    let probes = try probes(subject)
    for round in 0..<rounds {
      for probe in probes {
        let items = ArgumentSource.items(for: probe.description.signature, profile, &context.random)
        let record = probe.call(items, options)
        if let fault = record.faults.first(where: { rules.contains($0.rule) }) {
          return .failed("`\(probe.name)` \(fault.text) (round \(round + 1)).")
        }
      }
      if MonotonicClock.nanoseconds - begin > budget { break }
    }
    return .success
  }

  static func probes(_ subject: Subject) throws(CaseEnd) -> [MethodProbe] {
    var probes: [MethodProbe] = []
    for index in subject.methods.indices { probes.append(try MethodProbe(subject, index)) }
    return probes
  }
}

/// What every method can take.
enum MethodCases {
  /// What all other cases of methods need.
  private static let basis = "method.keeps-nothing"

  private static func sweep(
    _ name: String, _ summary: String, _ profile: ArgumentSource.Profile, rounds: Int,
    _ options: CallOptions = CallOptions(), needs: String = basis, rules: Set<Rule> = []
  ) -> ConformanceCase {
    ConformanceCase(name, summary, needs: needs) { context throws(CaseEnd) in
      let subject = try context.started()
      let verdict = try Sweep.run(context, subject, profile, rounds: rounds, options, rules: rules)
      subject.stop()
      subject.destroy()
      return verdict
    }
  }

  static let first: [ConformanceCase] = [
    sweep(
      "method.no-unwinding", "Nothing is thrown across the border", .random, rounds: 10, CallOptions(memory: .plain),
      needs: "life.cycle", rules: []),
    sweep(
      "method.returns", "Every method returns", .ordinary, rounds: 1, CallOptions(memory: .plain), needs: "life.cycle",
      rules: []),
    sweep(
      "method.borrows", "Arguments are not written, nor read beyond their end", .ordinary, rounds: 20,
      CallOptions(memory: .guarded), needs: "method.returns", rules: []),
    ConformanceCase(basis, "Arguments are not used after the call", needs: "method.borrows") {
      context throws(CaseEnd) in
      let subject = try context.started()
      let verdict = try Sweep.run(context, subject, .ordinary, rounds: 20, rules: [])
      usleep(50_000)
      subject.stop()
      subject.destroy()
      return verdict
    },
  ]

  static let sweeps: [ConformanceCase] = [
    sweep("method.random", "Random arguments end in a status", .random, rounds: 100),
    sweep("method.extremes", "Extreme numbers end in a status", .extreme, rounds: 50),
    sweep("method.empty", "Empty slices, NULL ones too, end in a status", .empty, rounds: 4),
    sweep("method.large", "Slices of 1 MiB end in a status", .large, rounds: 2),
    sweep(
      "method.late", "A deadline that has passed ends in a status", .ordinary, rounds: 3, CallOptions(deadline: -1)),
    sweep(
      "method.cancelled", "A call that nobody waits for ends", .ordinary, rounds: 3,
      CallOptions(refusesFrom: 1, isCancelled: true)),
    sweep(
      "method.no-deadline", "A call without a deadline ends too", .ordinary, rounds: 2, CallOptions(deadline: 0)),
  ]

  static let careful: [ConformanceCase] = [
    ConformanceCase(
      "method.checked-arguments", "The host lets no bad UTF-8 and no bad bool through", needs: "description.valid"
    ) {
      context throws(CaseEnd) in
      try guarded(try context.library())
    },
    ConformanceCase("method.threads", "Eight threads call at once", needs: "sink.late") { context throws(CaseEnd) in
      let subject = try context.started()
      return try Crowd.run(context, subject, threads: 8, rounds: 25)
    },
    ConformanceCase("method.reads", "READS methods answer twice alike", needs: "sink.late") { context throws(CaseEnd) in
      let subject = try context.started()
      for probe in try Sweep.probes(subject) where probe.description.flags & UInt32(SYMBOLON_READS) != 0 {
        let items = ArgumentSource.items(for: probe.description.signature, .ordinary, &context.random)
        let (first, second) = (probe.call(items), probe.call(items))
        guard first.status == second.status, first.results == second.results || first.status != 0 else {
          return .warning("`\(probe.name)` READS and answers the same question in two ways: right only if time passes.")
        }
      }
      return .success
    },
    ConformanceCase("method.deadline", "Methods keep the time that they name", needs: "sink.late") {
      context throws(CaseEnd) in
      let subject = try context.started()
      var named = 0
      for probe in try Sweep.probes(subject) where probe.description.deadlineMs > 0 {
        named += 1
        let record = probe.call(ArgumentSource.items(for: probe.description.signature, .ordinary, &context.random))
        let milliseconds = record.nanoseconds / 1_000_000
        if milliseconds > UInt64(probe.description.deadlineMs) {
          return .warning("`\(probe.name)` names \(probe.description.deadlineMs) ms and took \(milliseconds).")
        }
      }
      return named > 0 ? .success : .skipped("No method names a deadline.")
    },
    ConformanceCase("method.leaks", "Calls leave no memory behind", needs: "sink.late") { context throws(CaseEnd) in
      let subject = try context.started()
      for probe in try Sweep.probes(subject) {
        let items = ArgumentSource.items(for: probe.description.signature, .ordinary, &context.random)
        if let grown = growth(of: probe, items) {
          let text = "`\(probe.name)` leaves \(grown) bytes behind in 1000 calls."
          return probe.description.flags & UInt32(SYMBOLON_READS) != 0
            ? .failed(text) : .warning(text + " Right only if it is state.")
        }
      }
      return .success
    },
  ]

  /// Bytes by which the heap grows in 1000 calls; nil when it does not grow steadily.
  private static func growth(of probe: MethodProbe, _ items: [Arguments.Item]) -> Int? {
    let options = CallOptions(memory: .plain)
    func grow(_ calls: Int) -> Int {
      let before = symbolon_heap_bytes()
      let begin = MonotonicClock.nanoseconds
      for _ in 0..<calls where MonotonicClock.nanoseconds - begin < 500_000_000 { _ = probe.call(items, options) }
      return Int(symbolon_heap_bytes()) - Int(before)
    }
    _ = grow(200)
    let (first, second) = (grow(1000), grow(1000))
    return first >= 4000 && second >= 4000 ? min(first, second) : nil
  }

  /// What the plugin may rely on: the codec refuses what a type forbids.
  private static func guarded(_ library: Library) throws(CaseEnd) -> Verdict {
    var tried = 0
    for method in library.description.methods {
      for field in method.signature.parameters where field.type != .bytes && (field.type.isSlice || field.type == .bool)
      {
        tried += 1
        let bytes: [UInt8] = field.type == .bool ? [2] : [0, 0, 0, 2, 0xc0, 0x80]
        if let alone = try? Signature(parsing: "f(\(field.name): \(field.type))"),
          (try? Arguments(canonical: bytes, for: alone)) != nil
        {
          return .failed("The host lets a wrong `\(field.name)` through to `\(method.signature.name)`.")
        }
      }
    }
    return tried > 0 ? .success : .skipped("No parameter can be wrong.")
  }
}

/// Several threads that call one instance.
private enum Crowd {
  private final class Work: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  private struct Shared: @unchecked Sendable {  // Proof: the contract lets any thread call; probes are only read.
    let probes: [MethodProbe]
  }

  static func run(_ context: CaseContext, _ subject: Subject, threads: Int, rounds: Int) throws(CaseEnd) -> Verdict {
    let shared = Shared(probes: try Sweep.probes(subject))
    guard !shared.probes.isEmpty else { return .skipped("It offers no methods.") }
    // What one thread alone does wrong is another case's question.
    var alone: Set<Rule> = [.errorText]
    for probe in shared.probes {
      for _ in 0..<rounds {
        let items = ArgumentSource.items(for: probe.description.signature, .random, &context.random)
        alone.formUnion(probe.call(items, CallOptions(memory: .plain)).faults.map(\.rule))
      }
    }
    let known = alone
    let holder = Holder()
    var ids: [pthread_t] = []
    for index in 0..<threads {
      let seed = context.seed &+ UInt64(index)
      let work = Work {
        var random = SeededGenerator(seed: seed)
        let begin = MonotonicClock.nanoseconds
        for _ in 0..<rounds where MonotonicClock.nanoseconds - begin < 3_000_000_000 {
          for probe in shared.probes {
            let items = ArgumentSource.items(for: probe.description.signature, .random, &random)
            let record = probe.call(items, CallOptions(memory: .plain))
            guard let found = record.faults.first(where: { !known.contains($0.rule) }) else { continue }
            holder.text.withLock { $0 = $0 ?? "`\(probe.name)` \(found.text), with eight threads at once." }
          }
        }
      }
      var id = pthread_t()
      let pointer = Unmanaged.passRetained(work).toOpaque()
      guard
        pthread_create(
          &id, nil,
          { pointer in
            guard let pointer else { return nil }
            Unmanaged<Work>.fromOpaque(pointer).takeRetainedValue().run()
            return nil
          }, pointer) == 0
      else { throw .skip("The system gives no eight threads.") }
      ids.append(id)
    }
    for id in ids { pthread_join(id, nil) }
    return holder.text.withLock { $0 }.map { .failed($0) } ?? .success
  }

  private final class Holder: Sendable {
    let text = Mutex<String?>(nil)
  }
}

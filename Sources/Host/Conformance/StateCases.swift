import Glibc
import PluginAPI

/// State that a plugin hands to its next version (`symbolon/extensions/state.h`).
enum StateCases {
  /// A plugin's state table, and an instance to ask for it.
  private struct Bearer {
    let subject: Subject
    let table: symbolon_state
    let schema: PluginDescription.StateSchema

    func export(_ version: UInt32) -> Result<[UInt8], HostError> {
      let sink = SinkProbe(refusesFrom: 4096)
      var native = sink.makeSink()
      defer { sink.release() }
      do throws(HostError) {
        try RootCallFrame.run { call in table.export_state?(subject.instance, call, version, &native) ?? 13 }
      } catch {
        return .failure(error)
      }
      return .success(sink.seen.kept.flatMap(\.self))
    }

    func `import`(_ bytes: [UInt8], _ version: UInt32) -> HostError? {
      do throws(HostError) {
        try RootCallFrame.run { call in
          bytes.withUnsafeBufferPointer { buffer in
            table.import_state?(
              subject.instance, call, version, symbolon_slice(data: buffer.baseAddress, size: UInt64(buffer.count)))
              ?? 13
          }
        }
        return nil
      } catch {
        return error
      }
    }
  }

  /// An instance with some state in it: its methods were called.
  private static func bearer(_ context: CaseContext, started: Bool = true) throws(CaseEnd) -> Bearer {
    let library = try context.library()
    guard let table = library.state?.pointee, let schema = library.description.state else {
      throw .skip("It hands over no state.")
    }
    let subject = started ? try context.started() : try context.subject(library)
    if started {
      _ = try Sweep.run(context, subject, .ordinary, rounds: 5, rules: [])
    } else {
      do throws(HostError) { try subject.create() } catch { throw .skip("create fails: \(error.message)") }
    }
    return Bearer(subject: subject, table: table, schema: schema)
  }

  private static func exported(_ bearer: Bearer, _ version: UInt32) throws(CaseEnd) -> [UInt8] {
    switch bearer.export(version) {
    case .success(let bytes): return bytes
    case .failure(let error): throw .fail("It cannot write version \(version) of its state: \(error.message)")
    }
  }

  /// Writes version `version`, reads it into a fresh instance and writes it again there.
  private static func handedOver(_ context: CaseContext, _ version: UInt32) throws(CaseEnd) -> Verdict {
    let bytes = try exported(try bearer(context), version)
    let next = try bearer(context, started: false)
    if let error = next.import(bytes, version) {
      return .failed("A new instance does not take version \(version) of the state: \(error.message)")
    }
    do throws(HostError) { try next.subject.start() } catch {
      return .failed("With its state taken over it does not start: \(error.message)")
    }
    return try exported(next, version) == bytes
      ? .success : .failed("Version \(version) of the state is other bytes after it was taken over.")
  }

  static let all: [ConformanceCase] = [
    ConformanceCase("state.same", "The same state is the same bytes", needs: "life.cycle") { context throws(CaseEnd) in
      let bearer = try bearer(context)
      let version = bearer.schema.version
      return try exported(bearer, version) == exported(bearer, version)
        ? .success : .failed("Written twice, the state is other bytes.")
    },
    ConformanceCase("state.round-trip", "A new instance takes the state over", needs: "life.cycle") {
      context throws(CaseEnd) in
      guard let version = try context.library().description.state?.version else {
        throw .skip("It hands over no state.")
      }
      return try handedOver(context, version)
    },
    ConformanceCase("state.older", "Older versions that it lists travel too", needs: "life.cycle") {
      context throws(CaseEnd) in
      guard let schema = try context.library().description.state else { throw .skip("It hands over no state.") }
      let older = schema.exports.filter { $0 != schema.version && schema.imports.contains($0) }
      guard !older.isEmpty else { return .skipped("It lists no other version both ways: a downgrade loses the state.") }
      for version in older {
        let verdict = try handedOver(context, version)
        if verdict != .success { return verdict }
      }
      return .success
    },
    ConformanceCase("state.empty", "An empty state is refused or means nothing", needs: "life.cycle") {
      context throws(CaseEnd) in
      let bearer = try bearer(context, started: false)
      _ = bearer.import([], bearer.schema.version)
      bearer.subject.destroy()
      return .success
    },
    ConformanceCase("state.random", "Random bytes are refused, and nothing breaks", needs: "life.cycle") {
      context throws(CaseEnd) in
      let bearer = try bearer(context, started: false)
      var taken = 0
      for round in 0..<60 {
        let length = round < 3 ? 1 << 20 : context.random.below(400)
        let bytes = (0..<length).map { _ in UInt8(truncatingIfNeeded: context.random.next()) }
        if bearer.import(bytes, bearer.schema.version) == nil { taken += 1 }
      }
      bearer.subject.destroy()
      return taken < 20 ? .success : .warning("It took \(taken) of 60 random states: check what is read.")
    },
    ConformanceCase("state.cut", "A state that was cut short breaks nothing", needs: "life.cycle") {
      context throws(CaseEnd) in
      let bytes = try exported(try bearer(context), try bearer(context).schema.version)
      let next = try bearer(context, started: false)
      for length in stride(from: 0, to: bytes.count, by: max(1, bytes.count / 64)) {
        _ = next.import(Array(bytes[..<length]), next.schema.version)
      }
      next.subject.destroy()
      return .success
    },
    ConformanceCase("state.unknown", "A version that it does not list is refused", needs: "life.cycle") {
      context throws(CaseEnd) in
      let bearer = try bearer(context, started: false)
      let unknown = (bearer.schema.imports.max() ?? 0) &+ 1000
      if bearer.import([1, 2, 3], unknown) == nil {
        return .failed("It takes version \(unknown), which it does not list.")
      }
      if case .success = bearer.export(unknown) {
        return .failed("It writes version \(unknown), which it does not list.")
      }
      return .success
    },
  ]
}

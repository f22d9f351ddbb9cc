import CProbe
import Glibc
import PluginAPI

/// The life of an instance: made, started, stopped, freed.
enum LifeCases {
  private static func attempt(_ step: String, _ body: () throws(HostError) -> Void) throws(CaseEnd) {
    do throws(HostError) {
      try body()
    } catch {
      throw .skip("\(step) fails in the verifier: \(error.message)")
    }
  }

  static let all: [ConformanceCase] = [
    ConformanceCase("life.cycle", "It is made, started, stopped and freed", needs: "description.valid") {
      context throws(CaseEnd) in
      let subject = try context.subject()
      do throws(HostError) {
        try subject.create()
        try subject.start()
      } catch {
        return .warning("It does not start here: \(error.message)\(subject.absence)")
      }
      subject.stop()
      subject.destroy()
      return .success
    },
    ConformanceCase("life.no-services", "Without services it works or says what it lacks", needs: "description.valid") {
      context throws(CaseEnd) in
      let library = try context.library()
      do throws(HostError) { try BareHost.live(library) } catch {
        return error.code.hasPrefix("status_") || error.message.isEmpty
          ? .failed("It ends with status \(error.status) and gives no sentence.") : .success
      }
      return .success
    },
    ConformanceCase("life.restart", "It can be stopped and started again, ten times", needs: "life.cycle") {
      context throws(CaseEnd) in
      let subject = try context.started()
      for _ in 0..<10 {
        subject.stop()
        try attempt("start") { () throws(HostError) in try subject.start() }
      }
      subject.stop()
      subject.destroy()
      return .success
    },
    ConformanceCase("life.unstarted", "What was made and never started can be freed", needs: "life.cycle") {
      context throws(CaseEnd) in
      let subject = try context.subject()
      try attempt("create") { () throws(HostError) in try subject.create() }
      subject.destroy()
      return .success
    },
    ConformanceCase("life.leaks", "Making and freeing a thousand times leaves no memory behind", needs: "life.cycle") {
      context throws(CaseEnd) in
      let library = try context.library()
      guard library.native.pointee.create != nil else { return .skipped("It makes no instance.") }
      let subject = try context.subject(library)
      try attempt("create") { () throws(HostError) in try subject.create() }
      subject.destroy()
      func grow(_ count: Int) throws(CaseEnd) -> Int {
        let before = symbolon_heap_bytes()
        for _ in 0..<count {
          try attempt("create") { () throws(HostError) in try subject.create() }
          subject.destroy()
        }
        return Int(symbolon_heap_bytes()) - Int(before)
      }
      _ = try grow(100)
      let (first, second) = (try grow(500), try grow(500))
      // Eight bytes a time would be a leak; what is made once and kept is not.
      guard first >= 4000, second >= 4000 else { return .success }
      return .failed(
        "It leaves \(first + second) bytes behind in a thousand instances: destroy frees what create made.")
    },
  ]

  /// What also calls methods.
  static let afterwards: [ConformanceCase] = [
    ConformanceCase("life.two", "Two instances live beside each other", needs: "method.keeps-nothing") {
      context throws(CaseEnd) in
      let library = try context.library()
      guard !library.description.isExclusive else { return .skipped("It is exclusive.") }
      let (old, new) = (try context.subject(library), try context.subject(library))
      try attempt("The first start") { () throws(HostError) in
        try old.create()
        try old.start()
      }
      do throws(HostError) {
        try new.create()
        try new.start()
      } catch {
        return .failed(
          "A second instance does not start beside the first: set SYMBOLON_PLUGIN_EXCLUSIVE. \(error.message)")
      }
      old.stop()
      old.destroy()
      let verdict = try Sweep.run(context, new, .ordinary, rounds: 1, rules: [.status])
      new.stop()
      new.destroy()
      return verdict
    }
  ]
}

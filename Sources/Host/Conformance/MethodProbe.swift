import CFFI
import Glibc
import PluginAPI

/// A rule of the contract that one call can break.
enum Rule: String, Sendable {
  case resultBounds, errorBounds, callChanged, sinkThread, sinkLate, resultCount, utf8, json, bool, errorSlot,
    errorText,
    status, refusal
}

/// What one call did.
struct CallRecord {
  struct Fault {
    var rule: Rule
    var text: String
  }

  var status: Int32 = 0
  var code = ""
  var message = ""
  var nanoseconds: UInt64 = 0
  var faults: [Fault] = []
  /// The results in a form that can be compared: scalars as numbers, messages as bytes.
  var results: [[UInt8]] = []
  var refusals = 0
}

/// How a call is made.
struct CallOptions {
  /// The sinks refuse from this message on.
  var refusesFrom = 4096
  /// What `cancelled` answers from the start.
  var isCancelled = false
  /// Nanoseconds from now; 0 for none, negative for one that has passed.
  var deadline: Int64 = 2_000_000_000
  var memory = ArgumentMemory.poisoned
  /// How long to wait for writes that come after the return.
  var settlesMicroseconds: UInt32 = 0
}

/// Where slices lie while a method may read them.
enum ArgumentMemory: Sendable {
  /// In ordinary memory that is freed after the call, with everything else that the call took.
  case plain
  /// At the end of pages that can only be read.
  case guarded
  /// The same, and nobody may touch them after the call.
  case poisoned
}

/// Calls one method and watches everything that it could touch.
final class MethodProbe {
  let description: PluginDescription.Method
  private let function: @convention(c) () -> Void
  private let native: NativeCall
  private let instance: UnsafeMutableRawPointer?

  init(_ subject: Subject, _ index: Int) throws(CaseEnd) {
    description = subject.methods[index].description
    function = subject.methods[index].function
    instance = subject.instance
    do throws(HostError) { native = try NativeCall(description.signature) } catch { throw .fail(error.message) }
  }

  var name: String { description.signature.name }

  /// Makes the call: slices lie at the end of pages that can only be read, and cannot be touched afterwards.
  func call(_ items: [Arguments.Item], _ options: CallOptions = CallOptions()) -> CallRecord {
    let frame = CallFrame(description.signature, options)
    let loans = items.map { item in
      if case .slice(let bytes) = item { LentSlice(bytes, options.memory) } else { LentSlice?.none }
    }
    // Two words for each argument, one for the address of each result.
    var cells = [UInt64](repeating: 0, count: items.count * 2 + frame.results.count)
    for (index, item) in items.enumerated() {
      switch item {
      case .scalar(let value): cells[index * 2] = value
      case .slice(let bytes):
        cells[index * 2] = UInt64(UInt(bitPattern: loans[index]?.address))
        cells[index * 2 + 1] = UInt64(bytes.count)
      }
    }
    for (index, result) in frame.results.enumerated() {
      cells[items.count * 2 + index] = UInt64(UInt(bitPattern: result))
    }
    let begin = MonotonicClock.nanoseconds
    let status = cells.withUnsafeMutableBytes { memory in
      let base = memory.baseAddress
      var pointers: [UnsafeMutableRawPointer?] = items.indices.map { index in base.map { $0 + index * 16 } }
      pointers += frame.results.indices.map { index in base.map { $0 + items.count * 16 + index * 8 } }
      pointers.append(nil)
      return native(function, instance, UnsafeMutableRawPointer(frame.call), pointers)
    }
    let nanoseconds = MonotonicClock.nanoseconds - begin
    frame.sinks.forEach { $0?.close() }
    for loan in loans { loan?.end() }
    if options.settlesMicroseconds > 0 { usleep(options.settlesMicroseconds) }
    var record = frame.record(status)
    record.nanoseconds = nanoseconds
    if options.memory == .plain { frame.free() }
    return record
  }
}

/// Bytes that a method may read while it runs.
private struct LentSlice {
  let address: UnsafeMutableRawPointer?
  private let memory: ArgumentMemory
  private let pages: UnsafeMutableRawPointer
  private let length: Int
  private let number: Int

  init(_ bytes: [UInt8], _ memory: ArgumentMemory) {
    self.memory = memory
    guard memory != .plain else {
      let copy = UnsafeMutableRawPointer.allocate(byteCount: bytes.count + 1, alignment: 1)
      copy.initializeMemory(as: UInt8.self, repeating: 0, count: bytes.count + 1)
      bytes.withUnsafeBytes { copy.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(copy), byteCount: bytes.count) }
      (length, number, pages, address) = (bytes.count, -1, copy, copy)
      return
    }
    let page = Int(getpagesize())
    length = (bytes.count + page - 1) / page * page + page
    guard let pages = mmap(nil, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), pages != MAP_FAILED
    else { preconditionFailure("The verifier is out of memory.") }
    self.pages = pages
    number = FaultWatch.lend(pages, length)
    // An empty slice has a valid address now and NULL then: both are right.
    let start = pages + (length - page - bytes.count)
    address = bytes.isEmpty && Int(bitPattern: pages) >> 12 & 1 == 0 ? nil : start
    bytes.withUnsafeBytes { start.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(start), byteCount: bytes.count) }
    mprotect(pages, length - page, PROT_READ)
    mprotect(pages + (length - page), page, PROT_NONE)
  }

  /// Ends the loan when the call has returned; that guarded memory is kept is another case's question.
  func end() {
    switch memory {
    case .plain: pages.deallocate()
    case .guarded: break
    case .poisoned:
      FaultWatch.poison(number)
      mprotect(pages, length, PROT_NONE)
      madvise(pages, length, MADV_DONTNEED)
    }
  }
}

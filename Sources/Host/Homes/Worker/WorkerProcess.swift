import CFFI
import CLanes
import CSandbox
import Glibc
import PluginAPI
import Synchronization

/// The program inside of a worker: one library, served over lanes until the host ends this process.
final class WorkerProcess: LanePartner, @unchecked Sendable {
  // Proof: constant once serving begins, but for `instance`, which life steps write one at a time, and what is locked.
  let hello: WorkerHello
  let library: Library
  let memory: LaneMemory
  private let control: Int32
  private let methods: [(shape: CallShape, cif: UnsafeMutablePointer<ffi_cif>)]
  /// The methods and the instance, for the short way of a call; never freed.
  private let server: UnsafeMutablePointer<symbolon_server> = .allocate(capacity: 1)
  private var instance: UnsafeMutableRawPointer? {
    get { server.pointee.instance }
    set { server.pointee.instance = newValue }
  }
  private(set) var native: UnsafeMutablePointer<symbolon_host>
  /// Services that the host grants, by id.
  private let granted = Mutex<Set<String>>([])
  private let stateParts = Mutex<[UInt8]>([])
  let subscriptions = Mutex<[WorkerSubscription]>([])
  private let ownLanes: Mutex<(free: [LaneEnd], made: Int)> = Mutex(([], 0))
  private let laneFreed = WaitPoint()
  private let descriptors = Mutex<[UInt32: Int32]>([:])
  private let descriptorArrived = WaitPoint()
  let storage: UnsafePointer<CChar>

  init(_ hello: WorkerHello, _ library: Library, _ memory: LaneMemory, control: Int32) throws(HostError) {
    self.hello = hello
    self.library = library
    self.memory = memory
    self.control = control
    var methods: [(shape: CallShape, cif: UnsafeMutablePointer<ffi_cif>)] = []
    for method in library.description.methods {
      let types =
        [symbolon_ffi_pointer(), symbolon_ffi_pointer()].compactMap { $0 } + method.signature.nativeParameters
      methods.append((CallShape(method.signature), try prepareInterface(types)))
    }
    self.methods = methods
    server.initialize(to: WorkerServer.make(library))
    storage = permanentText(hello.storage)
    native = .allocate(capacity: 1)
    native.initialize(to: symbolon_host())
    native.pointee.struct_size = UInt32(MemoryLayout<symbolon_host>.size)
    native.pointee.abi = UInt32(SYMBOLON_ABI)
    native.pointee.version = Version.text
    native.pointee.plugin_id = permanentText(hello.id)
    native.pointee.context = Unmanaged.passRetained(self).toOpaque()
    native.pointee.service = { host, id in
      guard let host, let id else { return nil }
      let process = WorkerProcess.of(host)
      let name = String(cString: id)
      if process.granted.withLock({ $0.contains(name) }) { return WorkerServices.table(for: name) }
      // The host knows why not, and says so in its log.
      if WorkerServices.known.contains(name) { WorkerServices.refused(host, name) }
      return nil
    }
    server.pointee.context = native.pointee.context
    for (index, (row, slot)) in zip(library.description.imports, library.slots).enumerated() {
      slot.pointee = try WorkerImport(row, index: index, of: self).makeFunction()
    }
  }

  static func of(_ host: UnsafePointer<symbolon_host>) -> WorkerProcess {
    guard let context = host.pointee.context else { preconditionFailure("The plugin changed its host struct.") }
    return Unmanaged<WorkerProcess>.fromOpaque(context).takeUnretainedValue()
  }

  // MARK: Control

  /// Serves until the host is gone.
  func serve() -> Never {
    while true {
      var descriptor: Int32 = -1
      guard let datagram = ControlDatagram.receive(from: control, &descriptor) else { _exit(0) }
      switch datagram.kind {
      case .open: Thread.detach(named: "lane-\(datagram.value)") { [self] in serveLane(Int(datagram.value)) }
      case .descriptor:
        descriptors.withLock { $0[datagram.value] = descriptor }
        descriptorArrived.wake()
      case .ready: Self.end("The host sent what only workers send.")
      }
    }
  }

  /// The descriptor that the host sent under a number.
  func takeDescriptor(_ number: UInt32) -> Int32? {
    _ = descriptorArrived.wait(seconds: 5) { descriptors.withLock { $0[number] != nil } }
    return descriptors.withLock { $0.removeValue(forKey: number) }
  }

  private func serveLane(_ index: Int) {
    let end = LaneEnd(index, .worker, of: memory)
    symbolon_thread_set_current(Unmanaged.passRetained(end).toOpaque())
    do throws(LaneFailure) {
      while true {
        end.serve(server)
        guard let (question, level) = try end.receive(0) else { continue }
        try serve(question, level: level, on: end)
        end.reset(kept: .max)
      }
    } catch {
      Self.end("A lane failed: \(error).")
    }
  }

  /// Ends this process when nothing sensible can follow.
  static func end(_ reason: String) -> Never {
    StandardError.write(reason + "\n")
    _exit(70)
  }

  // MARK: Questions of the host

  func tick(_ end: LaneEnd) throws(LaneFailure) -> UInt64 { 0 }

  func serve(_ question: Incoming, level: UInt32, on end: LaneEnd) throws(LaneFailure) {
    var reader = MessageReader(question.bytes)
    switch question.kind {
    case .method: try call(&reader, level, end)
    case .life: try live(&reader, level, end)
    case .deliver:
      let (index, topic, json) = (Int(reader.u64()), reader.slice(), reader.slice())
      let found = subscriptions.withLock { $0.indices.contains(index) ? $0[index] : nil }
      found?.deliver(found?.context, symbolon_slice(topic), symbolon_slice(json))
      try end.answer(0)
    default: throw .malformed("a question that hosts do not ask")
    }
  }

  private func call(_ reader: inout MessageReader, _ level: UInt32, _ end: LaneEnd) throws(LaneFailure) {
    let index = Int(reader.u32())
    let header = CallHeader(&reader)
    guard methods.indices.contains(index) else { throw .malformed("a method that is not there") }
    let method = methods[index]
    var error = symbolon_error.empty
    var context = symbolon_worker_call(cancelled: end.cancelledFlag, id: header.id)
    try withPointers(&error, &context) { (error, context) throws(LaneFailure) in
      var call = header.native(error: error)
      call.context = UnsafeMutableRawPointer(context)
      call.cancelled = WorkerCallContext.cancelled
      var instance = instance
      try withPointers(&call, &instance) { (call, instance) throws(LaneFailure) in
        var pointer: UnsafeMutablePointer<symbolon_call>? = call
        try withUnsafeMutablePointer(to: &pointer) { (pointer) throws(LaneFailure) in
          try CalleeFrame.with(method.shape, on: end, level: level, self) { (frame) throws(LaneFailure) in
            try frame.run(
              &reader, leading: (UnsafeMutableRawPointer(instance), UnsafeMutableRawPointer(pointer)), method.cif,
              library.functions[index], error: error)
          }
        }
      }
    }
  }

  private func live(_ reader: inout MessageReader, _ level: UInt32, _ end: LaneEnd) throws(LaneFailure) {
    guard let step = LifeStep(rawValue: reader.u32()) else { throw .malformed("an unknown step of life") }
    let version = reader.u32()
    let payload = reader.slice()
    if step == .create {
      var services = MessageReader(payload)
      let count = services.u32()
      var names: Set<String> = []
      for _ in 0..<count { names.insert(services.text()) }
      granted.withLock { $0 = names }
    }
    if step == .importPart {
      var part = MessageReader(payload)
      let bytes = part.slice()
      stateParts.withLock { $0 += bytes }
    }
    var error = symbolon_error.empty
    var call = symbolon_call()
    call.struct_size = UInt32(MemoryLayout<symbolon_call>.size)
    let status = withUnsafeMutablePointer(to: &error) { error in
      call.error = error
      return withUnsafeMutablePointer(to: &call) { perform(step, version, $0, level, end) }
    }
    try end.answer(status, error: &error)
  }

  private func perform(
    _ step: LifeStep, _ version: UInt32, _ call: UnsafeMutablePointer<symbolon_call>, _ level: UInt32, _ end: LaneEnd
  ) -> Int32 {
    let plugin = library.native.pointee
    switch step {
    case .create: return plugin.create?(native, call, &instance) ?? 0
    case .start: return plugin.start?(instance, call) ?? 0
    case .stop: plugin.stop?(instance)
    case .destroy:
      plugin.destroy?(instance)
      fflush(nil)
    case .importPart: break
    case .exportState:
      guard let export = library.state?.pointee.export_state else {
        return HostError.stateless(hello.id).write(to: call)
      }
      return StateSender(end, level, self).send { export(instance, call, version, $0) }
    case .importState:
      guard let take = library.state?.pointee.import_state else {
        return HostError.stateless(hello.id).write(to: call)
      }
      let state = stateParts.withLock { parts in
        defer { parts = [] }
        return parts
      }
      return state.withUnsafeBytes { take(instance, call, version, symbolon_slice($0)) }
    }
    return 0
  }

  // MARK: Questions to the host

  /// Lends an end to ask on: of the lane whose call this thread runs, else one of the worker's own.
  func asking<R>(_ body: (LaneEnd) throws(LaneFailure) -> R) -> R {
    if let current = symbolon_thread_current() {
      let end = Unmanaged<LaneEnd>.fromOpaque(current).takeUnretainedValue()
      return end.exclusively { Self.orEnd(end, body) }
    }
    let end = takeLane()
    symbolon_thread_set_current(Unmanaged.passUnretained(end).toOpaque())
    defer {
      symbolon_thread_set_current(nil)
      end.reset(kept: .max)
      ownLanes.withLock { $0.free.append(end) }
      laneFreed.wake()
    }
    return Self.orEnd(end, body)
  }

  private static func orEnd<R>(_ end: LaneEnd, _ body: (LaneEnd) throws(LaneFailure) -> R) -> R {
    do throws(LaneFailure) { return try body(end) } catch { Self.end("A lane failed: \(error).") }
  }

  private func takeLane() -> LaneEnd {
    while true {
      let (found, opened) = ownLanes.withLock { lanes -> (LaneEnd?, Bool) in
        if let free = lanes.free.popLast() { return (free, false) }
        guard lanes.made < LaneMemory.workerLanes else { return (nil, false) }
        lanes.made += 1
        return (LaneEnd(LaneMemory.hostLanes + lanes.made - 1, .worker, of: memory), true)
      }
      if let found {
        if opened { ControlDatagram(kind: .open, value: UInt32(found.index)).send(to: control) }
        return found
      }
      _ = laneFreed.wait(seconds: 60) { ownLanes.withLock { !$0.free.isEmpty } }
    }
  }
}

/// Who hears a topic in this worker.
struct WorkerSubscription: @unchecked Sendable {  // Proof: constant; `context` is the subscriber's, for any thread.
  let context: UnsafeMutableRawPointer?
  let deliver: @convention(c) (UnsafeMutableRawPointer?, symbolon_slice, symbolon_slice) -> Void
}

/// Calls that the host made, by what `call->context` points to in a worker: a `symbolon_worker_call`.
enum WorkerCallContext {
  static let cancelled: @convention(c) (UnsafePointer<symbolon_call>?) -> UInt32 = { call in
    guard let context = call?.pointee.context else { return 0 }
    return symbolon_lane_load(context.assumingMemoryBound(to: symbolon_worker_call.self).pointee.cancelled)
  }

  /// The id of the host's call that `call` is or was made from; 0 for a call of the plugin's own.
  static func id(of call: UnsafePointer<symbolon_call>?) -> UInt64 {
    let ours = unsafeBitCast(cancelled, to: UInt.self)
    var here = call
    for _ in 0..<16 {
      guard let call = here else { return 0 }
      if let function = call.pointee.cancelled, unsafeBitCast(function, to: UInt.self) == ours,
        let context = call.pointee.context
      {
        return context.assumingMemoryBound(to: symbolon_worker_call.self).pointee.id
      }
      here = call.pointee.parent
    }
    return 0
  }
}

/// Addresses of two variables while `body` runs.
func withPointers<A, B, R, E: Error>(
  _ a: inout A, _ b: inout B, _ body: (UnsafeMutablePointer<A>, UnsafeMutablePointer<B>) throws(E) -> R
) throws(E) -> R {
  try withUnsafeMutablePointer(to: &a) { (a) throws(E) in
    try withUnsafeMutablePointer(to: &b) { (b) throws(E) in try body(a, b) }
  }
}

import CLanes
import Glibc
import PluginAPI

/// A service that a worker asks for, done through the very table that a plugin in this process would use.
///
/// So whatever is checked there, permissions above all, is checked for workers too.
final class HostService {
  private let link: WorkerLink
  private let context: HostContext
  private let call: UnsafeMutablePointer<symbolon_call>
  private let end: LaneEnd
  private let level: UInt32
  private let partner: any LanePartner
  private var failure: LaneFailure?

  init(
    _ link: WorkerLink, _ context: HostContext, _ call: UnsafeMutablePointer<symbolon_call>, _ end: LaneEnd,
    _ level: UInt32, _ partner: any LanePartner
  ) {
    (self.link, self.context, self.call) = (link, context, call)
    (self.end, self.level, self.partner) = (end, level, partner)
  }

  func serve(_ what: ServiceCall, _ reader: inout MessageReader) throws(LaneFailure) {
    let mark = end.mark
    switch what {
    case .log:
      let (level, message, fields) = (reader.u32(), reader.slice(), reader.slice())
      try complete(reader)
      let table = table(SYMBOLON_LOG, symbolon_log.self)
      table?.pointee.write?(context.native, level, symbolon_slice(message), symbolon_slice(fields))
      try end.answer(0)
    case .settings:
      try complete(reader)
      try collect { sink in
        table(SYMBOLON_CONFIG, symbolon_config.self)?.pointee.settings?(context.native, sink)
      }
    case .publish, .subscribe: try event(what, &reader)
    case .publicKey, .sign: try identity(what, &reader)
    case .revision:
      try complete(reader)
      let value = table(SYMBOLON_CATALOG, symbolon_catalog.self)?.pointee.revision?(context.native)
      try answer(number: value)
    case .catalog:
      try complete(reader)
      try collect { sink in table(SYMBOLON_CATALOG, symbolon_catalog.self)?.pointee.json?(context.native, sink) }
    case .invoke: try invoke(&reader)
    case .encode:
      let (method, json) = (reader.slice(), reader.slice())
      try complete(reader)
      try collect { sink in
        table(SYMBOLON_INVOKE, symbolon_invoke.self)?.pointee.encode?(
          context.native, call, symbolon_slice(method), symbolon_slice(json), sink)
      }
    case .listening: try listening(reader)
    case .refused:
      let id = reader.text()
      try complete(reader)
      // Asked for as a plugin in this process would, so that the same line is in the log.
      _ = context.native.pointee.service?(context.native, String(id.prefix(128)))
      try end.answer(0)
    }
    end.release(to: mark)
  }

  private func event(_ what: ServiceCall, _ reader: inout MessageReader) throws(LaneFailure) {
    let topic = reader.slice()
    let events = table(SYMBOLON_EVENTS, symbolon_events.self)
    if what == .publish {
      let json = reader.slice()
      try complete(reader)
      return try end.answer(
        events?.pointee.publish?(context.native, symbolon_slice(topic), symbolon_slice(json))
          ?? Int32(SYMBOLON_PERMISSION_DENIED))
    }
    let index = reader.u64()
    try complete(reader)
    guard link.mayWatchMore() else { return try end.answer(Int32(SYMBOLON_RESOURCE_EXHAUSTED)) }
    guard events != nil else { return try end.answer(Int32(SYMBOLON_PERMISSION_DENIED)) }
    let subscriber = WorkerSubscriber(link, index)
    let address = Unmanaged.passUnretained(subscriber).toOpaque()
    let status = Services.subscribe(context, symbolon_slice(topic).text, address, keeping: subscriber) {
      subscriber, topic, json in
      guard let subscriber else { return }
      Unmanaged<WorkerSubscriber>.fromOpaque(subscriber).takeUnretainedValue().deliver(topic, json)
    }
    try end.answer(status)
  }

  private func identity(_ what: ServiceCall, _ reader: inout MessageReader) throws(LaneFailure) {
    let message = what == .sign ? reader.slice() : UnsafeRawBufferPointer(start: nil, count: 0)
    try complete(reader)
    let table = table(SYMBOLON_IDENTITY, symbolon_identity.self)
    var bytes = [UInt8](repeating: 0, count: what == .sign ? 64 : 32)
    var status: Int32 = table == nil ? Int32(SYMBOLON_PERMISSION_DENIED) : 0
    if what == .sign {
      status = table?.pointee.sign?(context.native, symbolon_slice(message), &bytes) ?? status
    } else {
      table?.pointee.public_key?(context.native, &bytes)
    }
    try answer(status, bytes)
  }

  private func invoke(_ reader: inout MessageReader) throws(LaneFailure) {
    var what = symbolon_invocation()
    what.struct_size = UInt32(MemoryLayout<symbolon_invocation>.size)
    what.encoding = reader.u32()
    what.method = symbolon_slice(reader.slice())
    what.arguments = symbolon_slice(reader.slice())
    what.origin = reader.u32()
    what.allow_transition = reader.u32()
    let sender = reader.slice()
    what.sender = sender.count == 32 ? sender.bindMemory(to: UInt8.self).baseAddress : nil
    what.transaction = reader.u64()
    try complete(reader)
    let table = table(SYMBOLON_INVOKE, symbolon_invoke.self)
    var sink = symbolon_sink()
    sink.struct_size = UInt32(MemoryLayout<symbolon_sink>.size)
    sink.context = Unmanaged.passUnretained(self).toOpaque()
    sink.write = { sink, message in
      guard let context = sink?.pointee.context else { return Int32(SYMBOLON_INTERNAL) }
      return Unmanaged<HostService>.fromOpaque(context).takeUnretainedValue().send(message.buffer)
    }
    let status = withExtendedLifetime(self) { table?.pointee.invoke?(context.native, call, &what, &sink) }
    if let failure { throw failure }
    try end.answer(status ?? Int32(SYMBOLON_PERMISSION_DENIED), error: call.pointee.error)
  }

  private func send(_ bytes: UnsafeRawBufferPointer) -> Int32 {
    guard failure == nil else { return Int32(SYMBOLON_CANCELLED) }
    let mark = end.mark
    defer { end.release(to: mark) }
    let message = end.draft { writer in
      writer.put(UInt32(0))
      writer.put(bytes)
    }
    guard let message else { return HostError.messageTooLarge("invoke").write(to: call) }
    do throws(LaneFailure) {
      let answer = try end.ask(.item, level: level, message, receiver: NoItems.shared, partner)
      defer { answer.free() }
      return AnswerReader(answer).status
    } catch {
      failure = error
      return Int32(SYMBOLON_CANCELLED)
    }
  }

  private func listening(_ reader: MessageReader) throws(LaneFailure) {
    try complete(reader)
    var descriptor: Int32 = -1
    let status =
      table(SYMBOLON_SOCKETS, symbolon_sockets.self)?.pointee.listening?(context.native, call, &descriptor)
      ?? Int32(SYMBOLON_PERMISSION_DENIED)
    guard status == 0, descriptor >= 0 else { return try end.answer(status, error: call.pointee.error) }
    try answer(number: UInt64(link.send(descriptor: descriptor)))
  }

  // MARK: Details

  private func complete(_ reader: MessageReader) throws(LaneFailure) {
    guard reader.isComplete else { throw .malformed("a question that is shorter or longer than it says") }
  }

  /// The table that this plugin was granted; nil when it was not.
  private func table<T>(_ id: String, _ type: T.Type) -> UnsafePointer<T>? {
    context.native.pointee.service?(context.native, id)?.assumingMemoryBound(to: type)
  }

  private func answer(number: UInt64?) throws(LaneFailure) {
    guard var number else { return try end.answer(Int32(SYMBOLON_PERMISSION_DENIED)) }
    try withUnsafeMutablePointer(to: &number) { (number) throws(LaneFailure) in
      try end.answer(0, scalars: UnsafeBufferPointer(start: number, count: 1))
    }
  }

  private func answer(_ status: Int32, _ bytes: [UInt8]) throws(LaneFailure) {
    guard status == 0 else { return try end.answer(status, error: call.pointee.error) }
    guard let range = bytes.withUnsafeBytes({ end.keep($0) }) else {
      return try end.answer(HostError.messageTooLarge("service").write(to: call), error: call.pointee.error)
    }
    try end.answer(0, kept: [(0, range)])
  }

  /// Runs a service that writes one message, and sends that as the answer.
  private func collect(_ body: (UnsafeMutablePointer<symbolon_sink>) -> Int32?) throws(LaneFailure) {
    let collector = StateCollector()
    let status = collector.collect { sink in body(sink) ?? Int32(SYMBOLON_PERMISSION_DENIED) }
    try answer(status, collector.bytes)
  }
}

/// A subscription of a worker, on the host's event bus.
final class WorkerSubscriber: @unchecked Sendable {  // Proof: constant, and weak references may be read by any thread.
  /// Weak, because the event bus may hold this for longer than the process lives.
  private weak var link: WorkerLink?
  private let index: UInt64
  /// How long a worker may take for one event.
  private static let seconds: UInt64 = 5

  init(_ link: WorkerLink, _ index: UInt64) {
    self.link = link
    self.index = index
  }

  func deliver(_ topic: symbolon_slice, _ json: symbolon_slice) {
    guard let link, !link.isDead, let lane = try? link.takeLane() else { return }
    _ = lane.begin(nil)
    let deadline = MonotonicClock.nanoseconds + Self.seconds * 1_000_000_000
    let message = lane.end.draft { writer in
      writer.put(index)
      writer.put(topic.buffer)
      writer.put(json.buffer)
    }
    guard let message else { return link.giveBack(lane) }
    do throws(LaneFailure) {
      let conversation = HostConversation(link, call: nil, deadline: deadline)
      try lane.end.ask(.deliver, message, receiver: NoItems.shared, conversation).free()
      link.giveBack(lane)
    } catch .late {
      link.drain(lane, "did not come back from an event within \(Self.seconds + 2) s and was ended")
    } catch { link.failed(error) }
  }
}

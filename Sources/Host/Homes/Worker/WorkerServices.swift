import CLanes
import Glibc
import PluginAPI
import Synchronization

/// The tables behind `host->service(host, id)` in a worker: clocks and random bytes are its own, the rest asks the host.
enum WorkerServices {
  static func table(for id: String) -> UnsafeRawPointer? {
    switch id {
    case SYMBOLON_LOG: log
    case SYMBOLON_CONFIG: config
    case SYMBOLON_STORAGE: storage
    case SYMBOLON_CLOCK: clock
    case SYMBOLON_RANDOM: random
    case SYMBOLON_EVENTS: events
    case SYMBOLON_IDENTITY: identity
    case SYMBOLON_CATALOG: catalog
    case SYMBOLON_INVOKE: invoke
    case SYMBOLON_SOCKETS: sockets
    default: nil
    }
  }

  /// All that a host may grant.
  static let known = [
    SYMBOLON_LOG, SYMBOLON_CONFIG, SYMBOLON_STORAGE, SYMBOLON_CLOCK, SYMBOLON_RANDOM, SYMBOLON_EVENTS,
    SYMBOLON_IDENTITY, SYMBOLON_CATALOG, SYMBOLON_INVOKE, SYMBOLON_SOCKETS,
  ]

  /// What the host answered: a status, at most one number, and messages that went to the sink or were kept.
  struct Answer {
    var status: Int32
    var number: UInt64 = 0
    var bytes: [UInt8] = []
  }

  private final class Receiver: ItemReceiver {
    private let sink: UnsafeMutablePointer<symbolon_sink>?
    private(set) var bytes: [UInt8] = []
    init(_ sink: UnsafeMutablePointer<symbolon_sink>?) { self.sink = sink }

    func receive(result index: Int, _ message: UnsafeRawBufferPointer) -> Int32 {
      guard let sink else {
        bytes = Array(message)
        return 0
      }
      return sink.pointee.write?(sink, symbolon_slice(message)) ?? Int32(SYMBOLON_INVALID_ARGUMENT)
    }
  }

  /// Asks the host for a service.
  private static func ask(
    _ host: UnsafePointer<symbolon_host>?, _ what: ServiceCall, _ call: UnsafeMutablePointer<symbolon_call>? = nil,
    sink: UnsafeMutablePointer<symbolon_sink>? = nil, _ fill: (inout MessageWriter) -> Void = { _ in }
  ) -> Answer {
    guard let host else { return Answer(status: Int32(SYMBOLON_INVALID_ARGUMENT)) }
    let process = WorkerProcess.of(host)
    return process.asking { (end) throws(LaneFailure) in
      let mark = end.mark
      defer { end.release(to: mark) }
      let message = end.draft { writer in
        writer.put(what.rawValue)
        NestedHeader(parent: WorkerCallContext.id(of: call), call?.pointee).put(into: &writer)
        fill(&writer)
      }
      guard let message else { return Answer(status: HostError.messageTooLarge("\(what)").write(to: call)) }
      let receiver = Receiver(sink)
      let reply = try end.ask(.service, message, receiver: receiver, WorkerAsking(process, call))
      defer { reply.free() }
      var reader = AnswerReader(reply)
      reader.write(to: call?.pointee.error)
      var answer = Answer(status: reader.status)
      for _ in 0..<reader.u32() { answer.number = reader.u64() }
      for _ in 0..<reader.u32() {
        let (index, offset, length) = (Int(reader.u32()), reader.u64(), reader.u64())
        let bytes = try end.fetch(offset, length)
        defer { end.takeBack(bytes) }
        let status = receiver.receive(result: index, bytes)
        if status != 0 { answer.status = status }
      }
      answer.bytes = receiver.bytes
      return answer
    }
  }

  /// Tells the host that the plugin asked for a service that it was not granted.
  static func refused(_ host: UnsafePointer<symbolon_host>, _ id: String) { _ = ask(host, .refused) { $0.put(id) } }

  // Proof for all: constant after first use.
  nonisolated(unsafe) private static let log = Services.permanent(symbolon_log()) {
    $0.pointee.write = { host, level, message, fields in
      _ = ask(host, .log) { writer in
        writer.put(level)
        writer.put(message.buffer)
        writer.put(fields.buffer)
      }
    }
  }

  nonisolated(unsafe) private static let config = Services.permanent(symbolon_config()) {
    $0.pointee.settings = { host, sink in ask(host, .settings, sink: sink).status }
  }

  nonisolated(unsafe) private static let storage = Services.permanent(symbolon_storage()) {
    $0.pointee.folder = { host in host.map { WorkerProcess.of($0).storage } }
  }

  nonisolated(unsafe) private static let clock = Services.permanent(symbolon_clock()) {
    $0.pointee.unix_ms = { _ in MonotonicClock.unixMilliseconds }
    $0.pointee.monotonic_ns = { _ in MonotonicClock.nanoseconds }
  }

  nonisolated(unsafe) private static let random = Services.permanent(symbolon_random()) {
    $0.pointee.fill = { _, bytes, count in
      Entropy.fill(UnsafeMutableRawBufferPointer(start: bytes, count: Int(count)))
    }
  }

  nonisolated(unsafe) private static let events = Services.permanent(symbolon_events()) {
    $0.pointee.publish = { host, topic, json in
      ask(host, .publish) { writer in
        writer.put(topic.buffer)
        writer.put(json.buffer)
      }.status
    }
    $0.pointee.subscribe = { host, topic, context, deliver in
      guard let host, let deliver else { return Int32(SYMBOLON_INVALID_ARGUMENT) }
      // Known before the host can deliver the first event.
      let index = WorkerProcess.of(host).subscriptions.withLock { subscriptions in
        subscriptions.append(WorkerSubscription(context: context, deliver: deliver))
        return subscriptions.count - 1
      }
      return ask(host, .subscribe) { writer in
        writer.put(topic.buffer)
        writer.put(UInt64(index))
      }.status
    }
  }

  nonisolated(unsafe) private static let identity = Services.permanent(symbolon_identity()) {
    $0.pointee.public_key = { host, key in
      let answer = ask(host, .publicKey)
      guard let key, answer.bytes.count == 32 else { return }
      for (index, byte) in answer.bytes.enumerated() { key[index] = byte }
    }
    $0.pointee.sign = { host, message, signature in
      let answer = ask(host, .sign) { $0.put(message.buffer) }
      guard let signature, answer.status == 0, answer.bytes.count == 64 else {
        return answer.status == 0 ? Int32(SYMBOLON_INTERNAL) : answer.status
      }
      for (index, byte) in answer.bytes.enumerated() { signature[index] = byte }
      return 0
    }
  }

  nonisolated(unsafe) private static let catalog = Services.permanent(symbolon_catalog()) {
    $0.pointee.revision = { host in ask(host, .revision).number }
    $0.pointee.json = { host, sink in ask(host, .catalog, sink: sink).status }
  }

  nonisolated(unsafe) private static let invoke = Services.permanent(symbolon_invoke()) {
    $0.pointee.invoke = { host, call, what, sink in
      guard let what = what?.pointee, let sink else { return Int32(SYMBOLON_INVALID_ARGUMENT) }
      return ask(host, .invoke, call, sink: sink) { writer in
        writer.put(what.encoding)
        writer.put(what.method.buffer)
        writer.put(what.arguments.buffer)
        writer.put(what.origin)
        writer.put(what.allow_transition)
        writer.put(UnsafeRawBufferPointer(start: what.sender, count: what.sender == nil ? 0 : 32))
        writer.put(what.transaction)
      }.status
    }
    $0.pointee.encode = { host, call, method, json, sink in
      ask(host, .encode, call, sink: sink) { writer in
        writer.put(method.buffer)
        writer.put(json.buffer)
      }.status
    }
  }

  nonisolated(unsafe) private static let sockets = Services.permanent(symbolon_sockets()) {
    $0.pointee.listening = { host, call, descriptor in
      let answer = ask(host, .listening, call)
      guard let host, let descriptor, answer.status == 0 else { return answer.status }
      guard let found = WorkerProcess.of(host).takeDescriptor(UInt32(truncatingIfNeeded: answer.number)) else {
        return HostError.unavailable("no_descriptor", "The host's socket did not arrive.").write(to: call)
      }
      descriptor.pointee = found
      return 0
    }
  }
}

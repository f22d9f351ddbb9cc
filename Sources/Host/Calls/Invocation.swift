import PluginAPI

/// A call by name, with arguments in JSON or canonical form and messages as the result.
struct Invocation {
  enum Encoding { case json, canonical }

  var method: LoadedMethod
  var target: CallTarget
  var arguments: Arguments
  var encoding: Encoding

  /// Makes the native call; `receive` gets each message and returns a status, non-zero to stop the method.
  func perform(
    _ call: UnsafeMutablePointer<symbolon_call>, receive: (UnsafeRawBufferPointer) -> Int32
  ) -> Int32 {
    let signature = method.signature
    var cells = arguments.items.map { item -> Cell in
      if case .scalar(let value) = item { (value, 0) } else { (0, 0) }
    }
    let collector = ResultCollector(signature, encoding)
    let status = withoutActuallyEscaping(receive) { receive in
      collector.receive = receive
      defer { collector.receive = { _ in Int32(SYMBOLON_CANCELLED) } }
      return arguments.lend(into: &cells) { cells in native(call, &cells, collector) }
    }
    if collector.hasBadItem, let field = signature.results.last {
      return HostError.system(
        "bad_result", "`\(signature.name)` wrote a message to its stream that is no \(field.type)."
      ).write(to: call)
    }
    guard status == 0 else { return status }
    if signature.streams { return 0 }
    guard let message = collector.message() else {
      return HostError.system(
        "no_result", "`\(signature.name)` returned without writing its result."
      ).write(to: call)
    }
    return message.withUnsafeBytes(receive)
  }

  /// Wide enough for every argument: a scalar, a pointer or a slice.
  typealias Cell = (UInt64, UInt64)

  private func native(
    _ call: UnsafeMutablePointer<symbolon_call>, _ cells: inout [Cell], _ collector: ResultCollector
  ) -> Int32 {
    var results = collector.pointers
    return cells.withUnsafeMutableBufferPointer { cells in
      results.withUnsafeMutableBufferPointer { results in
        var all: [UnsafeMutableRawPointer?] = []
        all.reserveCapacity(cells.count + results.count)
        for index in cells.indices { all.append(cells.baseAddress.map { UnsafeMutableRawPointer($0 + index) }) }
        for index in results.indices { all.append(results.baseAddress.map { UnsafeMutableRawPointer($0 + index) }) }
        return method.perform(target.instance, call, all)
      }
    }
  }
}

extension Arguments {
  /// Lends the slices' bytes to `cells` while `body` runs.
  func lend<R>(into cells: inout [Invocation.Cell], _ body: (inout [Invocation.Cell]) -> R) -> R {
    var loans: [UnsafeMutableRawBufferPointer] = []
    defer { for loan in loans { loan.deallocate() } }
    for (index, item) in items.enumerated() {
      guard case .slice(let bytes) = item else { continue }
      let loan = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
      loan.copyBytes(from: bytes)
      loans.append(loan)
      cells[index] = (UInt64(UInt(bitPattern: loan.baseAddress)), UInt64(bytes.count))
    }
    return body(&cells)
  }
}

/// Takes the results of one native call and turns them into messages.
private final class ResultCollector {
  var receive: (UnsafeRawBufferPointer) -> Int32 = { _ in 0 }
  private let signature: Signature
  private let encoding: Invocation.Encoding
  private let scalars: UnsafeMutablePointer<UInt64>
  private let sinks: UnsafeMutablePointer<symbolon_sink>
  private var slices: [Int: [UInt8]] = [:]
  /// A message of a stream broke its type; the method was told so and nobody got it.
  private(set) var hasBadItem = false

  init(_ signature: Signature, _ encoding: Invocation.Encoding) {
    self.signature = signature
    self.encoding = encoding
    let count = max(1, signature.results.count)
    scalars = .allocate(capacity: count)
    scalars.initialize(repeating: 0, count: count)
    sinks = .allocate(capacity: count)
    sinks.initialize(repeating: symbolon_sink(), count: count)
  }

  deinit {
    scalars.deallocate()
    sinks.deallocate()
  }

  /// What the native function gets for its results: addresses of scalars and sinks.
  var pointers: [UnsafeMutableRawPointer?] {
    signature.results.enumerated().map { index, field in
      guard field.isStream || field.type.isSlice else { return UnsafeMutableRawPointer(scalars + index) }
      let sink = sinks + index
      sink.pointee.struct_size = UInt32(MemoryLayout<symbolon_sink>.size)
      sink.pointee.context = Unmanaged.passUnretained(self).toOpaque()
      sink.pointee.write = { sink, message in
        guard let sink, let context = sink.pointee.context else { return Int32(SYMBOLON_INTERNAL) }
        return Unmanaged<ResultCollector>.fromOpaque(context).takeUnretainedValue().write(sink, message)
      }
      return UnsafeMutableRawPointer(sink)
    }
  }

  private func write(_ sink: UnsafeMutablePointer<symbolon_sink>, _ message: symbolon_slice) -> Int32 {
    let index = sink - sinks
    let field = signature.results[index]
    guard field.isStream else {
      slices[index] = Array(message.buffer)
      return 0
    }
    // Scalars are canonical here, as in every message: the one form that no machine reads differently.
    guard !field.type.isSlice || encoding == .json && field.type != .json else { return receive(message.buffer) }
    guard let item = field.json(item: message.buffer) else {
      hasBadItem = true
      return Int32(SYMBOLON_INVALID_ARGUMENT)
    }
    return encoding == .json ? Array(item.text.utf8).withUnsafeBytes(receive) : receive(message.buffer)
  }

  /// All results in one message; nil when the method left one out.
  func message() -> [UInt8]? {
    var members: [String: JSONValue] = [:]
    var canonical: [UInt8] = []
    for (index, field) in signature.results.enumerated() {
      let item: Arguments.Item
      if field.type.isSlice {
        guard let bytes = slices[index] else { return nil }
        item = .slice(bytes)
        members[field.name] = field.json(memory: bytes)
      } else {
        item = .scalar(
          field.type.width == 8 ? scalars[index] : scalars[index] & (1 << (8 * UInt64(field.type.width)) - 1))
        members[field.name] = field.json(memory: withUnsafeBytes(of: scalars[index]) { Array($0) })
      }
      if encoding == .canonical { Arguments.append(item, field.type, to: &canonical) }
    }
    return encoding == .canonical ? canonical : Array(JSONValue.object(members).text.utf8)
  }
}

import CFFI
import PluginAPI

/// Properties of a method that the host acts on.
public struct MethodFlags: OptionSet, Sendable {
  /// The bits of `symbolon/method.h`.
  public let rawValue: UInt32
  /// Wraps the bits.
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// No effects, safe to retry.
  public static let reads = MethodFlags(rawValue: UInt32(SYMBOLON_READS))
  /// Changes ledger state; reached only through a signed transaction.
  public static let transition = MethodFlags(rawValue: UInt32(SYMBOLON_TRANSITION))
  /// Offered on the HTTP edge without a permission.
  public static let `public` = MethodFlags(rawValue: UInt32(SYMBOLON_PUBLIC))
  static let streams = MethodFlags(rawValue: UInt32(SYMBOLON_STREAMS))
}

/// What a layer offers: declared once, callable from C, the command line, HTTP and transactions.
///
/// ```swift
/// Method("vote", "Vote on an open proposal", .transition, bytes("proposal"), text("choice")) {
///   (layer: GovernanceLayer, call, proposal, choice) in try layer.vote(call, proposal, choice)
/// }
/// ```
/// The body runs on any host thread, several at once; it may block. What it throws becomes the caller's error.
/// `deadline` is how long a call may take when its caller names no time; the host acts on it where it can.
public struct Method<Layer: AnyObject & Sendable>: Sendable {
  let signature: String
  let summary: String
  let flags: MethodFlags
  let defaults: String?
  let command: String?
  let deadline: Duration?
  let arguments: [UnsafeMutablePointerBox]
  let run: @Sendable (Layer, Call, Cells) throws -> Void

  /// A method without a result.
  public init<each A>(
    _ name: String, _ summary: String, _ flags: MethodFlags = [], _ parameters: repeat Value<each A>,
    command: String? = nil, deadline: Duration? = nil,
    body: @escaping @Sendable (Layer, Call, repeat each A) throws -> Void
  ) {
    var shape = Shape(name)
    repeat shape.add(each parameters)
    self.init(shape, summary, flags, command, deadline) { layer, call, cells in
      var cells = cells
      try body(layer, call, repeat try cells.next(each parameters))
    }
  }

  /// A method with one result.
  public init<each A, R>(
    _ name: String, _ summary: String, _ flags: MethodFlags = [], _ parameters: repeat Value<each A>,
    returns result: Value<R>, command: String? = nil, deadline: Duration? = nil,
    body: @escaping @Sendable (Layer, Call, repeat each A) throws -> R
  ) {
    var shape = Shape(name)
    repeat shape.add(each parameters)
    shape.returns(result)
    self.init(shape, summary, flags, command, deadline) { layer, call, cells in
      var cells = cells
      let value = try body(layer, call, repeat try cells.next(each parameters))
      try cells.store(value, as: result)
    }
  }

  /// A method whose result is a stream: the body writes messages until it returns or a write throws.
  public init<each A, R>(
    streaming name: String, _ summary: String, _ flags: MethodFlags = [], _ parameters: repeat Value<each A>,
    stream result: Value<R>, command: String? = nil, deadline: Duration? = nil,
    body: @escaping @Sendable (Layer, Call, Output, repeat each A) throws -> Void
  ) {
    var shape = Shape(name)
    repeat shape.add(each parameters)
    let resultIndex = 2 + shape.natives.count
    shape.streams(result)
    self.init(shape, summary, flags.union(.streams), command, deadline) { layer, call, cells in
      var cells = cells
      var results = Cells(arguments: cells.arguments, index: resultIndex)
      try body(layer, call, try results.output(), repeat try cells.next(each parameters))
    }
  }

  private init(
    _ shape: Shape, _ summary: String, _ flags: MethodFlags, _ command: String?, _ deadline: Duration?,
    run: @escaping @Sendable (Layer, Call, Cells) throws -> Void
  ) {
    signature = shape.signature
    defaults = shape.defaults
    arguments = shape.natives
    self.summary = summary
    self.flags = flags
    self.command = command
    self.deadline = deadline
    self.run = run
  }

  /// The row of the method table, with a natural C function that lives as long as the process.
  func describe() -> symbolon_method {
    let run = run
    let interface = Interface([symbolon_ffi_pointer(), symbolon_ffi_pointer()] + arguments.map(\.pointer))
    let function = makeFunction(interface) { arguments in
      guard let layer = arguments[0]?.load(as: UnsafeMutableRawPointer?.self),
        let call = arguments[1]?.load(as: UnsafeMutablePointer<symbolon_call>?.self)
      else { return Status.internal.rawValue }
      do {
        try run(
          Unmanaged<Layer>.fromOpaque(layer).takeUnretainedValue(), Call(pointer: call),
          Cells(arguments: arguments, index: 2))
        return 0
      } catch {
        return Failure(any: error).write(to: call.pointee.error)
      }
    }
    var method = symbolon_method()
    method.struct_size = UInt32(MemoryLayout<symbolon_method>.size)
    method.flags = flags.rawValue
    method.signature = permanent(signature)
    method.summary = permanent(summary)
    method.function = function
    method.defaults = defaults.map(permanent)
    method.command = command.map(permanent)
    method.deadline_ms = deadline.map(Self.milliseconds) ?? 0
    return method
  }
}

extension Method {
  /// A deadline as the contract counts it: at least one millisecond, so that a short one is not "none".
  static func milliseconds(_ deadline: Duration) -> UInt32 {
    let (seconds, attoseconds) = deadline.components
    let fraction = (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
    let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1000)
    return overflow ? .max : UInt32(clamping: max(1, whole.addingReportingOverflow(fraction).partialValue))
  }
}

/// The address of one of libffi's types.
struct UnsafeMutablePointerBox: @unchecked Sendable {  // Proof: libffi's types are constants.
  let pointer: UnsafeMutablePointer<ffi_type>
}

/// Collects a signature while a declaration is read.
struct Shape {
  private let name: String
  private var parameters: [String] = []
  private var results: [String] = []
  private var defaultPairs: [String] = []
  private(set) var natives: [UnsafeMutablePointerBox] = []

  init(_ name: String) { self.name = name }

  mutating func add<T>(_ value: Value<T>) {
    parameters.append("\(value.name): \(value.type)")
    natives.append(UnsafeMutablePointerBox(pointer: value.native.type))
    if let json = value.defaultJSON { defaultPairs.append("\"\(value.name)\":\(json)") }
  }

  mutating func returns<T>(_ value: Value<T>) { result("\(value.name): \(value.type)") }

  mutating func streams<T>(_ value: Value<T>) { result("\(value.name): stream<\(value.type)>") }

  private mutating func result(_ text: String) {
    results.append(text)
    natives.append(UnsafeMutablePointerBox(pointer: symbolon_ffi_pointer()))
  }

  var signature: String {
    "\(name)(\(parameters.joined(separator: ", ")))"
      + (results.isEmpty ? "" : " -> (\(results.joined(separator: ", ")))")
  }

  var defaults: String? { defaultPairs.isEmpty ? nil : "{" + defaultPairs.joined(separator: ",") + "}" }
}

/// The argument cells of a running call, read in order.
struct Cells {
  let arguments: NativeArguments
  var index: Int

  mutating func next<T>(_ value: Value<T>) throws(Failure) -> T {
    defer { index += 1 }
    guard let cell = arguments[index] else { throw Failure(.internal, "no_argument", "`\(value.name)` is missing.") }
    return try value.load(UnsafeRawPointer(cell))
  }

  mutating func output() throws(Failure) -> Output {
    defer { index += 1 }
    return try Output(arguments[index]?.load(as: UnsafeMutablePointer<symbolon_sink>?.self))
  }

  mutating func store<T>(_ content: T, as value: Value<T>) throws(Failure) {
    let bytes = try value.bytes(content)
    if value.native == .slice { return try output().write(bytes) }
    defer { index += 1 }
    guard let target = arguments[index]?.load(as: UnsafeMutableRawPointer?.self) else {
      throw Failure(.internal, "no_result", "The caller gave no place for `\(value.name)`.")
    }
    bytes.withUnsafeBytes { target.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(target), byteCount: $0.count) }
  }
}

extension Failure {
  /// Any error as a failure: one of ours as it is, others as internal.
  init(any error: any Error) {
    self = error as? Failure ?? Failure(.internal, "internal", "\(error)")
  }
}

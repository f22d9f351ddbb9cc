import CFFI
import PluginAPI

/// Another layer's method, called like a Swift function.
///
/// ```swift
/// let balance = Import("ledger.balance", bytes("account"), returns: u64("amount"))
/// let amount = try balance(call, account)
/// ```
/// Declare it as a global `let` and list it in the plugin's `imports`. The host fills it before `create`.
public struct Import<Result, each Argument>: Sendable {
  /// The declaration, for the plugin's list.
  public let declaration: ImportDeclaration
  private let interface: Interface
  private let parameters: (repeat Value<each Argument>)
  private let result: Value<Result>?

  /// A method with one result.
  public init(
    _ name: String, _ parameters: repeat Value<each Argument>, returns result: Value<Result>, optional: Bool = false
  ) {
    var shape = Shape(ImportDeclaration.method(of: name))
    repeat shape.add(each parameters)
    shape.returns(result)
    self.init(name, shape, optional, (repeat each parameters), result)
  }

  /// A method whose result is a stream.
  public init(
    streaming name: String, _ parameters: repeat Value<each Argument>, stream result: Value<Result>,
    optional: Bool = false
  ) {
    var shape = Shape(ImportDeclaration.method(of: name))
    repeat shape.add(each parameters)
    shape.streams(result)
    self.init(name, shape, optional, (repeat each parameters), result)
  }

  private init(
    _ name: String, _ shape: Shape, _ optional: Bool, _ parameters: (repeat Value<each Argument>),
    _ result: Value<Result>?
  ) {
    declaration = ImportDeclaration(name, signature: shape.signature, optional: optional)
    interface = Interface([symbolon_ffi_pointer()] + shape.natives.map(\.pointer))
    self.parameters = parameters
    self.result = result
  }

  /// Calls the method; throws what the provider failed with, or `unavailable` when there is none.
  public func callAsFunction(_ call: Call, _ arguments: repeat each Argument) throws(Failure) -> Result {
    guard let result else { preconditionFailure("An import without a result is called with `run`.") }
    var frame = Frame(call)
    repeat try frame.add(each arguments, as: each parameters)
    guard result.native == .slice else {
      return try result.parse(frame.callForScalar(declaration, interface))
    }
    var message: [UInt8] = []
    try frame.call(declaration, interface) { message = Array($0) }
    return try result.parse(message)
  }

  /// Calls a streaming method; `receive` gets each message and may throw to stop the provider.
  public func stream(
    _ call: Call, _ arguments: repeat each Argument, receive: (Result) throws -> Void
  ) throws {
    guard let result else { preconditionFailure("An import without a result has no stream.") }
    var frame = Frame(call)
    repeat try frame.add(each arguments, as: each parameters)
    try withoutActuallyEscaping(receive) { receive in
      try frame.stream(declaration, interface) { try receive(try result.item(Array($0))) }
    }
  }
}

extension Import where Result == Void {
  /// A method without a result.
  public init(_ name: String, _ parameters: repeat Value<each Argument>, optional: Bool = false) {
    var shape = Shape(ImportDeclaration.method(of: name))
    repeat shape.add(each parameters)
    self.init(name, shape, optional, (repeat each parameters), nil)
  }

  /// Calls the method; throws what the provider failed with, or `unavailable` when there is none.
  public func callAsFunction(_ call: Call, _ arguments: repeat each Argument) throws(Failure) {
    var frame = Frame(call)
    repeat try frame.add(each arguments, as: each parameters)
    try frame.call(declaration, interface, receive: nil)
  }
}

/// The part of an import that the host reads: name, signature and the slot that it fills.
public struct ImportDeclaration: @unchecked Sendable {
  // Proof: the host writes the slot before create(), on the control thread; later everybody only reads it.
  let slot: UnsafeMutablePointer<(@convention(c) () -> Void)?>
  /// As in `ledger.balance`.
  public let name: String
  let signature: String
  let optional: Bool

  init(_ name: String, signature: String, optional: Bool) {
    slot = .allocate(capacity: 1)
    slot.initialize(to: nil)
    self.name = name
    self.signature = signature
    self.optional = optional
  }

  /// The part after the last dot.
  static func method(of name: String) -> String {
    guard let dot = name.lastIndex(of: ".") else { return name }
    return String(name[name.index(after: dot)...])
  }

  func describe() -> symbolon_import {
    var native = symbolon_import()
    native.struct_size = UInt32(MemoryLayout<symbolon_import>.size)
    native.flags = optional ? UInt32(SYMBOLON_IMPORT_OPTIONAL) : 0
    native.plugin = permanent(name.lastIndex(of: ".").map { String(name[..<$0]) } ?? name)
    native.signature = permanent(signature)
    native.slot = slot
    return native
  }
}

/// One outgoing call while it is put together: argument cells and the bytes that their slices borrow.
private struct Frame {
  private let call: Call
  private var cells: [Cell] = []
  private var loans: [UnsafeMutableRawBufferPointer] = []

  /// Wide enough for every argument: a scalar, a pointer or a slice.
  typealias Cell = (UInt64, UInt64)

  init(_ call: Call) { self.call = call }

  mutating func add<T>(_ content: T, as value: Value<T>) throws(Failure) {
    let bytes = try value.bytes(content)
    var cell: Cell = (0, 0)
    if value.native == .slice {
      let loan = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
      loan.copyBytes(from: bytes)
      loans.append(loan)
      withUnsafeMutableBytes(of: &cell) {
        $0.storeBytes(of: UnsafeRawBufferPointer(loan).slice, as: symbolon_slice.self)
      }
    } else {
      withUnsafeMutableBytes(of: &cell) { $0.copyBytes(from: bytes) }
    }
    cells.append(cell)
  }

  /// Calls a method without a result, or with one message.
  mutating func call(
    _ declaration: ImportDeclaration, _ interface: Interface, receive: ((UnsafeRawBufferPointer) -> Void)?
  ) throws(Failure) {
    guard let receive else { return try finish(perform(declaration, interface, result: nil)) }
    let status: Int32 = withoutActuallyEscaping(receive) { receive in
      let inbox = Inbox { receive($0) }
      return withExtendedLifetime(inbox) {
        perform(declaration, interface, result: UnsafeMutableRawPointer(inbox.native))
      }
    }
    try finish(status)
  }

  mutating func callForScalar(_ declaration: ImportDeclaration, _ interface: Interface) throws(Failure) -> [UInt8] {
    var cell: UInt64 = 0
    let status = withUnsafeMutablePointer(to: &cell) { perform(declaration, interface, result: $0) }
    try finish(status)
    return withUnsafeBytes(of: cell) { Array($0) }
  }

  mutating func stream(
    _ declaration: ImportDeclaration, _ interface: Interface,
    receive: @escaping (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    let inbox = Inbox(receive)
    let status = withExtendedLifetime(inbox) {
      perform(declaration, interface, result: UnsafeMutableRawPointer(inbox.native))
    }
    if let failure = inbox.failure { throw failure }
    try finish(status)
  }

  private func finish(_ status: Int32) throws(Failure) {
    guard status == 0 else { throw Failure(status: status, slot: call.pointer.pointee.error) }
  }

  private mutating func perform(
    _ declaration: ImportDeclaration, _ interface: Interface, result: UnsafeMutableRawPointer?
  ) -> Int32 {
    defer {
      for loan in loans { loan.deallocate() }
      loans.removeAll()
    }
    guard let function = declaration.slot.pointee else {
      return Failure(.unavailable, "not_filled", "`\(declaration.name)` is not in the plugin's list of imports.")
        .write(to: call.pointer.pointee.error)
    }
    var head = call.pointer
    var tail = result
    var status: ffi_arg = 0
    cells.withUnsafeMutableBytes { memory in
      withUnsafeMutablePointer(to: &head) { head in
        withUnsafeMutablePointer(to: &tail) { tail in
          var arguments: [UnsafeMutableRawPointer?] = [UnsafeMutableRawPointer(head)]
          for index in 0..<(memory.count / MemoryLayout<Cell>.stride) {
            arguments.append(memory.baseAddress.map { $0 + index * MemoryLayout<Cell>.stride })
          }
          if result != nil { arguments.append(UnsafeMutableRawPointer(tail)) }
          ffi_call(interface.cif, function, &status, &arguments)
        }
      }
    }
    return Int32(truncatingIfNeeded: status)
  }
}

import CFFI
import Glibc
import PluginAPI
import Synchronization

/// The closure behind an import slot: finds the provider's current generation, makes the child call and forwards it.
///
/// Whoever may call its function holds it.
final class ImportBinding: @unchecked Sendable {  // Proof: written in init; the rest is atomic or behind the mutex.
  private let layer: Layer
  private let description: PluginDescription.Import
  /// The importing plugin's id, which lives at least as long as this: who calls, as the provider sees it.
  private let importer: UnsafePointer<CChar>
  private let cif: UnsafeMutablePointer<ffi_cif>
  /// Why every call is refused; nil when the import was granted.
  private let refusal: HostError?
  private let closure = Mutex<NativeClosure?>(nil)
  /// Where the method was found last: the number of a generation, and the method's place in its table (the low bits).
  private let found = Atomic<UInt64>(0)

  init(
    _ description: PluginDescription.Import, of layer: Layer, importer: UnsafePointer<CChar>,
    refusal: HostError? = nil
  ) throws(HostError) {
    self.refusal = refusal
    self.layer = layer
    self.description = description
    self.importer = importer
    cif = try prepareInterface([symbolon_ffi_pointer()] + description.signature.nativeParameters)
  }

  deinit {
    closure.withLock { $0 = nil }
    freeInterface(cif)
  }

  /// The typed C function pointer that goes into the plugin's slot; made at the first use.
  func function() throws(HostError) -> @convention(c) () -> Void {
    try closure.withLock { closure throws(HostError) in
      if let closure { return closure.function }
      let made = try NativeClosure(cif, Unmanaged.passUnretained(self).toOpaque()) { _, result, arguments, user in
        guard let arguments, let user else { return }
        let status = Unmanaged<ImportBinding>.fromOpaque(user)._withUnsafeGuaranteedRef { $0.forward(arguments) }
        result?.storeBytes(of: ffi_arg(bitPattern: Int(status)), as: ffi_arg.self)
      }
      closure = made
      return made.function
    }
  }

  private func forward(_ arguments: UnsafeMutablePointer<UnsafeMutableRawPointer?>) -> Int32 {
    guard let cell = arguments[0], let parent = cell.load(as: UnsafeMutablePointer<symbolon_call>?.self) else {
      return Int32(SYMBOLON_INVALID_ARGUMENT)
    }
    if let refusal { return refusal.write(to: parent) }
    guard let target = layer.enter(parent) else {
      return HostError.unavailable(
        "no_provider",
        "`\(layer.id).\(description.signature.name)` is not there: the layer `\(layer.id)` is not running."
      ).write(to: parent)
    }
    defer { layer.leave(target) }
    guard let method = resolve(in: target) else {
      return HostError.unavailable(
        "no_method", "The running version of `\(layer.id)` has no \(description.signature)."
      ).write(to: parent)
    }
    if let index = method.firstForbidden(UnsafePointer(arguments + 1)) {
      let field = method.signature.parameters[index]
      return HostError.invalid("bad_argument", "`\(field.name)` is not a valid \(field.type).").write(to: parent)
    }
    var child = ChildCall.make(of: parent, caller: importer)
    return withUnsafeMutablePointer(to: &child) {
      method.perform(target.instance, $0, UnsafePointer(arguments + 1))
    }
  }

  @inline(__always)
  private func resolve(in target: CallTarget) -> LoadedMethod? {
    let known = found.load(ordering: .relaxed)
    if known >> CallTarget.placeBits == target.number { return target.method(at: known & CallTarget.placeMask) }
    guard let place = target.place(of: description.signature) else { return nil }
    found.store(target.number << CallTarget.placeBits | place, ordering: .relaxed)
    return target.method(at: place)
  }
}

/// Nested calls: made from the call they happen in.
enum ChildCall {
  /// The child of `parent`, made by the plugin `caller`; valid while the parent runs.
  @inline(__always)
  static func make(
    of parent: UnsafeMutablePointer<symbolon_call>, caller: UnsafePointer<CChar>
  ) -> symbolon_call {
    var child = symbolon_call()
    child.struct_size = UInt32(MemoryLayout<symbolon_call>.size)
    child.origin = parent.pointee.origin
    child.caller = caller
    child.sender = parent.pointee.sender
    child.transaction = parent.pointee.transaction
    child.deadline_ns = parent.pointee.deadline_ns
    child.trace_id = parent.pointee.trace_id
    child.error = parent.pointee.error
    child.parent = UnsafePointer(parent)
    child.cancelled = { call in
      guard let parent = call?.pointee.parent, let cancelled = parent.pointee.cancelled else { return 0 }
      return cancelled(parent)
    }
    return child
  }
}

extension symbolon_slice {
  /// The bytes, borrowed for the running call.
  var buffer: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: data, count: data == nil ? 0 : Int(clamping: size))
  }

  /// False for the one thing that a slice may not be: nothing, with a size.
  var isWhole: Bool { data != nil || size == 0 }

  var isUTF8: Bool { isWhole && String(validating: buffer, as: UTF8.self) != nil }

  /// The bytes as text; bytes that are not UTF-8 are replaced.
  var text: String { String(decoding: buffer, as: UTF8.self) }
}

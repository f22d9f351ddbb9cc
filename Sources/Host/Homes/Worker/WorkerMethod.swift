import CFFI
import PluginAPI

/// The native function of a method in a worker: a closure that takes the call there.
final class WorkerMethod: @unchecked Sendable {  // Proof: constant once its home is made.
  /// Whoever calls holds it.
  private unowned(unsafe) let home: WorkerHome
  private let index: Int
  private let shape: CallShape
  private let cif: UnsafeMutablePointer<ffi_cif>
  private var closure: NativeClosure?

  init(_ home: WorkerHome, _ index: Int, _ signature: Signature) throws(HostError) {
    self.home = home
    self.index = index
    shape = CallShape(signature)
    let types = [symbolon_ffi_pointer(), symbolon_ffi_pointer()].compactMap { $0 } + signature.nativeParameters
    cif = try prepareInterface(types)
  }

  deinit {
    closure = nil
    freeInterface(cif)
  }

  /// The function that lives as long as this; asked for once, by the home that is being made.
  func function() throws(HostError) -> @convention(c) () -> Void {
    let made = try NativeClosure(cif, Unmanaged.passUnretained(self).toOpaque()) { _, result, arguments, user in
      guard let arguments, let user else { return }
      let status = Unmanaged<WorkerMethod>.fromOpaque(user)._withUnsafeGuaranteedRef {
        $0.home.call($0.index, $0.shape, arguments)
      }
      result?.storeBytes(of: ffi_arg(bitPattern: Int(status)), as: ffi_arg.self)
    }
    closure = made
    return made.function
  }
}

import CFFI
import Host
import PluginAPI
import Testing

/// Direct calls put every argument where libffi puts it.
@Suite struct NativeCallTests {
  private static let types = ["bool", "i32", "u32", "i64", "u64", "f64", "text", "bytes"]

  /// 2,000 random signatures, each called directly and through libffi with the same random arguments.
  @Test func directCallsArriveAsThoseOfLibffi() throws {
    var random = SplitMix(seed: 20_261_125)
    var direct = 0
    for round in 0..<2000 {
      // Every fourth signature may have floating point; that much shows that it is left to libffi.
      let types = round % 4 == 0 ? Self.types : Self.types.filter { $0 != "f64" }
      let parameters = (0..<Int(random.next() % 9)).map { "p\($0): \(types[Int(random.next() % UInt64(types.count))])" }
      let results = (0..<Int(random.next() % 3)).map { "r\($0): u64" }
      let signature = try Signature(
        parsing: "f(\(parameters.joined(separator: ", ")))"
          + (results.isEmpty ? "" : " -> (\(results.joined(separator: ", ")))"))
      let recorder = try Recorder(signature)
      let call = try NativeCall(signature)
      let plain = try NativeCall(signature, allowDirect: false)
      #expect(!plain.isDirect)
      if signature.parameters.contains(where: { $0.type == .f64 }) { #expect(!call.isDirect) }
      direct += call.isDirect ? 1 : 0
      let cells = UnsafeMutablePointer<UInt64>.allocate(capacity: 32)
      defer { cells.deallocate() }
      for index in 0..<32 { (cells + index).initialize(to: random.next()) }
      let addresses = (0..<16).map { UnsafeMutableRawPointer(cells + $0 * 2) as UnsafeMutableRawPointer? }
      let instance = UnsafeMutableRawPointer(bitPattern: UInt(random.next() | 1))
      let context = UnsafeMutableRawPointer(bitPattern: UInt(random.next() | 1))
      let status = Int32(truncatingIfNeeded: random.next())
      recorder.answer = status
      #expect(plain(recorder.function, instance, context, addresses) == status)
      let expected = recorder.taken
      #expect(call(recorder.function, instance, context, addresses) == status)
      #expect(recorder.taken == expected, "\(signature)")
      #expect(expected.count == 2 + signature.parameters.count + signature.results.count)
    }
    #if arch(x86_64)
      #expect(direct > 1000, "most of our signatures have a direct call")
    #endif
  }

  @Test func aSliceIsNeverSplitBetweenRegistersAndTheStack() throws {
    // One register is left for the slice: it goes onto the stack, and the register to the number after it.
    let signature = try Signature(parsing: "f(a: u64, b: u64, c: u64, d: bytes, e: u64, g: bytes, h: u32)")
    let recorder = try Recorder(signature)
    let cells = UnsafeMutablePointer<UInt64>.allocate(capacity: 14)
    defer { cells.deallocate() }
    for index in 0..<14 { (cells + index).initialize(to: UInt64(index) + 1) }
    let addresses = (0..<7).map { UnsafeMutableRawPointer(cells + $0 * 2) as UnsafeMutableRawPointer? }
    _ = try NativeCall(signature)(recorder.function, nil, nil, addresses)
    #expect(recorder.taken == [[0], [0], [1], [3], [5], [7, 8], [9], [11, 12], [13]])
  }
}

/// A native function of any signature, made by libffi: it keeps what it was given.
private final class Recorder {
  /// One row for each argument, `self` and `call` first.
  private(set) var taken: [[UInt64]] = []
  var answer: Int32 = 0
  private(set) var function: @convention(c) () -> Void
  private let widths: [Int]
  private let closure: UnsafeMutableRawPointer
  private let types: UnsafeMutablePointer<UnsafeMutablePointer<ffi_type>?>
  private let interface: UnsafeMutablePointer<ffi_cif>

  init(_ signature: Signature) throws {
    var all = [symbolon_ffi_pointer(), symbolon_ffi_pointer()].compactMap { $0 }
    var widths = [8, 8]
    for field in signature.parameters {
      switch field.type {
      case .bool: (all, widths) = (all + [symbolon_ffi_u8()], widths + [1])
      case .i32: (all, widths) = (all + [symbolon_ffi_i32()], widths + [4])
      case .u32: (all, widths) = (all + [symbolon_ffi_u32()], widths + [4])
      case .i64: (all, widths) = (all + [symbolon_ffi_i64()], widths + [8])
      case .u64: (all, widths) = (all + [symbolon_ffi_u64()], widths + [8])
      case .f64: (all, widths) = (all + [symbolon_ffi_f64()], widths + [8])
      case .text, .bytes, .json: (all, widths) = (all + [symbolon_ffi_slice()], widths + [16])
      }
    }
    for _ in signature.results { (all, widths) = (all + [symbolon_ffi_pointer()], widths + [8]) }
    self.widths = widths
    types = .allocate(capacity: all.count)
    for (index, type) in all.enumerated() { (types + index).initialize(to: type) }
    interface = .allocate(capacity: 1)
    try #require(symbolon_ffi_prepare(interface, UInt32(all.count), symbolon_ffi_i32(), types) == FFI_OK)
    var code: UnsafeMutableRawPointer?
    closure = try #require(ffi_closure_alloc(MemoryLayout<ffi_closure>.size, &code))
    function = unsafeBitCast(try #require(code), to: (@convention(c) () -> Void).self)
    let status = ffi_prep_closure_loc(
      closure.assumingMemoryBound(to: ffi_closure.self), interface,
      { _, result, arguments, user in
        guard let arguments, let user else { return }
        let recorder = Unmanaged<Recorder>.fromOpaque(user).takeUnretainedValue()
        recorder.keep(arguments)
        result?.storeBytes(of: ffi_arg(bitPattern: Int(recorder.answer)), as: ffi_arg.self)
      }, Unmanaged.passUnretained(self).toOpaque(), code)
    try #require(status == FFI_OK)
  }

  deinit {
    ffi_closure_free(closure)
    interface.deallocate()
    types.deallocate()
  }

  private func keep(_ arguments: UnsafeMutablePointer<UnsafeMutableRawPointer?>) {
    taken = widths.enumerated().map { index, width in
      guard let cell = arguments[index] else { return [] }
      switch width {
      case 1: return [UInt64(cell.load(as: UInt8.self))]
      case 4: return [UInt64(cell.load(as: UInt32.self))]
      case 16: return [cell.load(as: UInt64.self), (cell + 8).load(as: UInt64.self)]
      default: return [cell.load(as: UInt64.self)]
      }
    }
  }
}

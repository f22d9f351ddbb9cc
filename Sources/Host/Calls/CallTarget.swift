import PluginAPI
import Synchronization

/// What a call reaches: functions, the instance they work on, and how many calls are inside.
///
/// A call holds it by its address alone, so it is never freed: when its generation is gone, another of the same layer
/// takes it over. A call that comes too late to one that was left finds that it is not current, or finds the generation
/// to which it belongs by then; both are right.
final class CallTarget: @unchecked Sendable {
  // Proof: `fill` and `clear` run while it is not current and no call is inside; `owner` is behind the layer's lock.
  /// How many bits of a word hold a method's place in the table.
  static let placeBits: UInt64 = 10
  static let placeMask: UInt64 = 1 << placeBits - 1
  private static let numbers = Atomic<UInt64>(0)

  /// Tells this generation from every other one of the process; never 0.
  private(set) var number: UInt64 = 0
  private(set) var methods: [String: LoadedMethod] = [:]
  private var table: [LoadedMethod] = []
  private var places: [String: UInt64] = [:]
  /// The plugin's own pointer, written on the control thread before calls come.
  var instance: UnsafeMutableRawPointer?
  /// Calls that run here now.
  let running = Atomic<Int>(0)
  /// It was current and is not any more, and its owner waits for the last call.
  let isLeft = Atomic<Bool>(false)
  /// Lives at least as long as it is current or a call is inside.
  var owner: Generation?

  /// Takes the methods of a generation.
  func fill(_ methods: [String: LoadedMethod]) {
    precondition(
      methods.count <= Int(Self.placeMask), "A plugin has at most \(PluginDescription.Limit.methods) methods.")
    number = Self.numbers.wrappingAdd(1, ordering: .relaxed).newValue
    self.methods = methods
    table = Array(methods.values)
    places = Dictionary(uniqueKeysWithValues: table.enumerated().map { ($1.signature.name, UInt64($0)) })
  }

  /// Lets go of everything.
  func clear() {
    (methods, table, places, instance) = ([:], [], [:], nil)
  }

  /// The method at a place that `place(of:)` gave for this number.
  @inline(__always)
  func method(at place: UInt64) -> LoadedMethod { table[Int(place)] }

  /// Where a method of exactly this signature is.
  func place(of signature: Signature) -> UInt64? {
    guard let place = places[signature.name], table[Int(place)].signature == signature else { return nil }
    return place
  }
}

import ArgumentParser
import CCalls
import CFFI
import PluginAPI

/// `symbolon bench-calls`: what a call through an import closure costs, beside a bare prepared `ffi_call`.
struct BenchCalls: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench-calls", abstract: "Measure a call through the host.", shouldDisplay: false)

  @Option(help: "Rounds; the median counts.")
  var rounds = 9

  @Option(help: "Calls in a round.")
  var calls = 500_000

  func run() {
    Terminal.run(json: true) { () throws(HostError) in
      symbolon_ticks_prepare()
      var (closure, bare): ([Double], [Double]) = ([], [])
      let bench = try CallBench()
      for _ in 0..<max(1, rounds) {
        closure.append(bench.throughHost(calls))
        bare.append(bench.bare(calls))
      }
      let line = JSONValue.object([
        "name": .string("host.call.closure_ffi"), "value": .number(Self.median(closure)), "unit": .string("ns"),
        "peer": .string("ffi_call"), "peer_value": .number(Self.median(bare)), "median_of": .integer(Int64(rounds)),
      ])
      print(line.text)
    }
  }

  private static func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }
}

/// One method `add(a: u64, b: u64) -> (sum: u64)` called both ways.
private struct CallBench {
  typealias Add =
    @convention(c) (UnsafeMutablePointer<symbolon_call>?, UInt64, UInt64, UnsafeMutablePointer<UInt64>?) -> Int32
  private typealias Provider =
    @convention(c) (
      UnsafeMutableRawPointer?, UnsafeMutablePointer<symbolon_call>?, UInt64, UInt64, UnsafeMutablePointer<UInt64>?
    ) -> Int32
  private let slot: UnsafeMutablePointer<(@convention(c) () -> Void)?> = .allocate(capacity: 1)
  private let function: @convention(c) () -> Void
  private let cif: UnsafeMutablePointer<ffi_cif>
  private let binding: ImportBinding

  init() throws(HostError) {
    let provider: Provider = { _, _, a, b, sum in
      sum?.pointee = a &+ b
      return 0
    }
    let signature = try Signature(parsing: "add(a: u64, b: u64) -> (sum: u64)")
    function = unsafeBitCast(provider, to: (@convention(c) () -> Void).self)
    cif = try prepareInterface([symbolon_ffi_pointer(), symbolon_ffi_pointer()] + signature.nativeParameters)
    let method = try LoadedMethod(
      PluginDescription.Method(signature: signature, summary: "Add", flags: 0, defaults: [:], command: nil),
      function: function, counters: MethodCounters())
    slot.initialize(to: nil)
    let layer = Layer(id: "bench")
    layer.publish(layer.takeTarget(["add": method]))
    binding = try ImportBinding(
      PluginDescription.Import(plugin: "bench", signature: signature, isOptional: false), of: layer,
      importer: permanentText("caller"))
    slot.pointee = try binding.function()
  }

  /// Nanoseconds a call.
  func throughHost(_ count: Int) -> Double {
    guard let function = slot.pointee else { return 0 }
    let add = unsafeBitCast(function, to: Add.self)
    var call = symbolon_call()
    call.struct_size = UInt32(MemoryLayout<symbolon_call>.size)
    var sum: UInt64 = 0
    return timed(count) { index in _ = add(&call, UInt64(index), sum, &sum) }
  }

  func bare(_ count: Int) -> Double {
    var (instance, call): (UnsafeMutableRawPointer?, UnsafeMutableRawPointer?) = (nil, nil)
    var (a, b, sum): (UInt64, UInt64, UInt64) = (0, 0, 0)
    var status: ffi_arg = 0
    return withUnsafeMutablePointer(to: &sum) { sum in
      var target: UnsafeMutablePointer<UInt64>? = sum
      return withUnsafeMutablePointer(to: &target) { target in
        withUnsafeMutablePointer(to: &a) { a in
          withUnsafeMutablePointer(to: &b) { b in
            withUnsafeMutablePointer(to: &instance) { instance in
              withUnsafeMutablePointer(to: &call) { call in
                var cells: [UnsafeMutableRawPointer?] = [
                  UnsafeMutableRawPointer(instance), UnsafeMutableRawPointer(call), UnsafeMutableRawPointer(a),
                  UnsafeMutableRawPointer(b), UnsafeMutableRawPointer(target),
                ]
                return timed(count) { index in
                  a.pointee = UInt64(index)
                  b.pointee = sum.pointee
                  ffi_call(cif, function, &status, &cells)
                }
              }
            }
          }
        }
      }
    }
  }

  private func timed(_ count: Int, _ body: (Int) -> Void) -> Double {
    let start = MonotonicClock.nanoseconds
    for index in 0..<count { body(index) }
    return Double(MonotonicClock.nanoseconds - start) / Double(max(1, count))
  }
}

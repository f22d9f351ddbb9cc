import Foundation
import Testing

/// Scalars in streams travel in canonical form, whatever machine and home they come from.
@Suite struct StreamItemTests {
  @Test(arguments: ["host", "worker"]) func scalarsOfAStreamKeepTheirValue(_ home: String) throws {
    let node = try RunningNode(
      plugins: WorkerTests.plugin("streams", try RunningNode.fixture([], source: "streams.c"), home: home))
    defer { node.stop() }
    #expect(try node.command("streams", "flags").out == "true\nfalse\n")
    #expect(try node.command("streams", "integers").out == "-2\n258\n")
    #expect(try node.command("streams", "counts").out == "72623859790382856\n18446744073709551615\n")
    #expect(try node.command("streams", "fractions").out == "2.5\n-0.125\n")
  }

  @Test(arguments: ["host", "worker"], ["short_counts", "odd_flags"])
  func whatIsNoValueOfItsTypeEndsTheCall(_ home: String, _ method: String) throws {
    let node = try RunningNode(
      plugins: WorkerTests.plugin("streams", try RunningNode.fixture([], source: "streams.c"), home: home))
    defer { node.stop() }
    let result = try node.command("streams", method)
    #expect(result.out == (method == "odd_flags" ? "true\n" : "7\n"))
    #expect(result.status != 0 && result.err.contains(method), "\(result)")
    #expect(try node.command("streams", "flags").status == 0)
  }
}

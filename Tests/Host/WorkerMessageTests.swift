import Host
import Testing

/// What goes through the memory that host and worker share.
@Suite struct WorkerMessageTests {
  /// Lends a buffer to write into, and gives back what was written; nil when it did not fit.
  private func written(_ capacity: Int, _ fill: (inout MessageWriter) -> Void) -> [UInt8]? {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, capacity), alignment: 16)
    defer { memory.deallocate() }
    guard let base = memory.baseAddress else { return nil }
    var writer = MessageWriter(base, capacity: capacity)
    fill(&writer)
    return writer.overflowed ? nil : Array(memory[..<writer.count])
  }

  @Test func whatIsWrittenIsRead() throws {
    let bytes = try #require(
      written(256) { writer in
        writer.put(UInt32(7))
        writer.put("hé")
        writer.put(UInt64.max)
        writer.nest { $0.put(Int32(-3)) }
        writer.put("")
      })
    bytes.withUnsafeBytes { bytes in
      var reader = MessageReader(bytes)
      #expect(reader.u32() == 7)
      #expect(reader.text() == "hé")
      #expect(reader.u64() == .max)
      var inner = MessageReader(reader.slice())
      #expect(inner.i32() == -3 && inner.isComplete)
      #expect(reader.slice().isEmpty)
      #expect(reader.isComplete)
      #expect(reader.u32() == 0 && reader.failed && !reader.isComplete)
    }
  }

  @Test func nothingIsWrittenPastTheEnd() {
    for capacity in 0..<16 {
      let bytes = written(capacity) { writer in
        writer.put(UInt64(1))
        writer.put(UInt64(2))
      }
      #expect(bytes == nil)
    }
    #expect(written(15) { $0.put("12345678") } == nil)
  }

  @Test func noBytesMakeTheReaderTrap() {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<20_000 {
      let bytes = (0..<Int.random(in: 0...40, using: &random)).map { _ in
        Bool.random(using: &random) ? 0 : UInt8.random(in: 0...255, using: &random)
      }
      bytes.withUnsafeBytes { bytes in
        var reader = MessageReader(bytes)
        for _ in 0..<8 {
          switch Int.random(in: 0...3, using: &random) {
          case 0: _ = reader.u32()
          case 1: _ = reader.u64()
          case 2: _ = reader.text()
          default: #expect(reader.slice().count <= bytes.count)
          }
        }
        #expect(reader.position <= bytes.count)
      }
    }
  }

  @Test func aConfinementSurvivesItsJSON() throws {
    let json = try JSONValue(
      parsing: Array(
        """
        {"no_new_privileges":true,"landlock_abi":7,"files":true,"network":false,"signals_and_abstract_sockets":true,
        "system_calls":true,"capabilities_dropped":false,"limits":true}
        """.utf8))
    let confinement = Confinement(json: json)
    #expect(confinement.landlock == 7 && confinement.files && !confinement.network && !confinement.capabilities)
    #expect(Confinement(json: confinement.json) == confinement)
  }
}

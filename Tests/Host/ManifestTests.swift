import Host
import Testing

/// The footer of sealed libraries: whatever a file ends with is read without harm.
@Suite struct ManifestTests {
  static let description: PluginDescription = {
    let text = """
      {"id":"sample","version":"1.2.3","summary":"A sample","abi":1,"flags":0,"routes":[],
      "methods":[{"signature":"add(a: i64, b: i64) -> (sum: i64)","summary":"Adds","flags":1,"defaults":{"b":1}}],
      "imports":[{"plugin":"ledger","signature":"height() -> (height: u64)","optional":true}],
      "permissions":["subscribe:ledger.block"],
      "state":{"id":"sample.state","version":2,"imports":[1,2],"exports":[2]}}
      """
    guard let json = try? JSONValue(parsing: text.utf8), let description = try? PluginDescription(json: json) else {
      preconditionFailure("The description of this test is right.")
    }
    return description
  }()

  static let manifest = Manifest(
    description: description, toolchain: "cc 12", librarySHA256: String(repeating: "ab", count: 32),
    files: ["data/table.bin": String(repeating: "0f", count: 32)])

  static let library = [0x7f, 0x45, 0x4c, 0x46] + [UInt8](repeating: 7, count: 200)

  private func sealed() throws -> [UInt8] { Self.library + (try Seal.footer(Self.manifest)) }

  @Test func aManifestComesBackAsItWasWritten() throws {
    let file = try sealed()
    let parts = try #require(try Seal.find(in: file))
    #expect(parts.library == Self.library.count)
    #expect(try Manifest(parsing: file[parts.manifest]) == Self.manifest)
    #expect(try Manifest(parsing: file[parts.manifest]).description.permissions == Self.description.permissions)
    #expect(try Manifest(parsing: file[parts.manifest]).description.state == Self.description.state)
  }

  @Test func aFileWithoutTheMagicIsNotSealed() throws {
    #expect(try Seal.find(in: Self.library) == nil)
    #expect(try Seal.find(in: []) == nil)
    #expect(try Seal.find(in: Seal.magic) == nil, "shorter than any library")
  }

  @Test func aLengthThatCannotBeIsRefused() throws {
    for length: UInt64 in [0, 1, 1 << 20 + 1, 300, .max, 1 << 63] {
      let number = withUnsafeBytes(of: length.bigEndian) { Array($0) }
      #expect(throws: HostError.self, "\(length)") { try Seal.find(in: Self.library + number + Seal.magic) }
    }
  }

  @Test func aLaterFormAsksForAnUpdate() throws {
    var file = try sealed()
    file[file.count - 2] = UInt8(ascii: "2")
    let error = #expect(throws: HostError.self) { try Seal.find(in: file) }
    #expect(error?.code == "newer_seal")
  }

  @Test func onlyTheCanonicalFormIsTaken() throws {
    let text = Self.manifest.json.text
    for changed in [
      " " + text, text + "\n", text.replacing("\"files\":", with: "\"files\": "),
      text.replacing("{\"files\"", with: "{\"extra\":1,\"files\""), text.replacing("symbolon-manifest/1", with: "x/9"),
      text.replacing("data/table.bin", with: "../table.bin"), text.replacing("abab", with: "ABAB"),
    ] {
      #expect(throws: HostError.self, "\(changed)") { try Manifest(parsing: Array(changed.utf8)) }
    }
  }

  @Test func aManifestThatLiesAboutTheCodeIsRefused() throws {
    try Self.manifest.match(Self.description)
    var other = Self.description
    other.methods[0].flags = 5
    let error = #expect(throws: HostError.self) { try Self.manifest.match(other) }
    #expect(error?.message.contains("gives other methods than its code") == true)
    other = Self.description
    other.permissions.append(Permission(.service, "symbolon.identity/1"))
    #expect(throws: HostError.self) { try Self.manifest.match(other) }
  }

  @Test func namesOfFilesStayInTheirFolder() {
    for name in ["a", "table.bin", "data/table-1_x.bin"] { #expect(Manifest.isFileName(name), "\(name)") }
    for name in ["", "/", "/a", "a/", "../a", "a/../b", ".hidden", "a/.b", "a/b/c", "a b", "-rf", "é", "a\n"] {
      #expect(!Manifest.isFileName(name), "\(name)")
    }
  }

  /// 100,000 damaged footers: each is read, refused or found not sealed; one that is read is what was sealed.
  @Test func damagedFootersAreReadWithoutHarm() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SplitMix(seed: seed)
    let file = try sealed()
    var (whole, refused, unsealed) = (0, 0, 0)
    for _ in 0..<100_000 {
      var copy = file
      switch random.next() % 4 {
      case 0: copy.removeLast(Int(random.next() % UInt64(copy.count)))
      case 1:
        for _ in 0...(random.next() % 3) { copy[Int(random.next() % UInt64(copy.count))] = UInt8(random.next() & 255) }
      case 2:  // The length.
        copy[copy.count - 17 - Int(random.next() % 8)] = UInt8(random.next() & 255)
      default:
        let start = Self.library.count
        for index in start..<copy.count - Int(random.next() % 40) { copy[index] = UInt8(random.next() & 255) }
      }
      do throws(HostError) {
        guard let parts = try Seal.find(in: copy) else {
          unsealed += 1
          continue
        }
        // The parser of JSON is slow; what lies before it is what this looks for, and every eighth goes through it.
        if random.next() % 8 == 0 { _ = try Manifest(parsing: copy[parts.manifest]) }
        whole += 1
      } catch {
        refused += 1
      }
    }
    #expect(whole > 1000 && refused > 1000 && unsealed > 1000, "seed \(seed): \(whole), \(refused), \(unsealed)")
  }

  @Test func theCommentOfAnELFFileIsReadWithoutHarm() {
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SplitMix(seed: seed)
    for _ in 0..<20_000 {
      var file = [UInt8](repeating: 0, count: 64 + Int(random.next() % 400))
      for index in file.indices { file[index] = random.next() % 3 == 0 ? UInt8(random.next() & 255) : 0 }
      file.replaceSubrange(0..<6, with: [0x7f, 0x45, 0x4c, 0x46, 2, 1])
      file.replaceSubrange(0x3a..<0x3c, with: [64, 0])
      _ = ElfComment.text(in: file)
    }
  }
}

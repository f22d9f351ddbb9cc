import Foundation
import Host
import Testing

/// Signatures and keys in minisign's format, in memory; Tests/Integration asks minisign itself.
@Suite struct MinisignTests {
  private func scratch(_ bytes: [UInt8]) throws -> FileHandle {
    let path = FileManager.default.temporaryDirectory.appending(path: "minisign-\(UUID())").path
    try Data(bytes).write(to: URL(filePath: path))
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try #require(FileHandle(forReadingAtPath: path))
  }

  private let message = Array("what a library says".utf8)

  private func signed(_ key: MinisignSecretKey) throws -> MinisignSignature {
    let file = try scratch(message)
    return try withExtendedLifetime(file) {
      try key.sign(descriptor: file.fileDescriptor, fileName: "libx.so", comment: nil)
    }
  }

  private func verify(_ signature: MinisignSignature, _ bytes: [UInt8], _ key: MinisignPublicKey) throws {
    let file = try scratch(bytes)
    try withExtendedLifetime(file) { try signature.verify(descriptor: file.fileDescriptor, with: key) }
  }

  @Test func aSignatureFitsItsFileAndKeyAlone() throws {
    let (key, other) = (MinisignSecretKey(), MinisignSecretKey())
    let signature = try MinisignSignature(parsing: Array(try signed(key).file.utf8))
    try verify(signature, message, key.publicKey)
    #expect(signature.trustedComment.contains("file:libx.so\thashed"))
    for changed in [message + [0], Array(message.dropLast()), []] {
      let error = #expect(throws: HostError.self) {
        try verify(signature, changed, key.publicKey)
      }
      #expect(error?.code == "bad_signature")
    }
    #expect(throws: HostError.self) {
      try verify(signature, message, other.publicKey)
    }
    let impostor = MinisignPublicKey(id: key.publicKey.id, key: other.publicKey.key)
    #expect(throws: HostError.self) {
      try verify(signature, message, impostor)
    }
  }

  @Test func theTrustedCommentIsCovered() throws {
    let key = MinisignSecretKey()
    var signature = try signed(key)
    signature.trustedComment += "!"
    let error = #expect(throws: HostError.self) {
      try verify(signature, message, key.publicKey)
    }
    #expect(error?.code == "bad_comment")
    signature.trustedComment.removeLast()
    signature.untrustedComment = "anything"
    try verify(signature, message, key.publicKey)
  }

  @Test func aPublicKeyIsReadFromItsLineAndItsFile() throws {
    let key = MinisignSecretKey().publicKey
    #expect(try MinisignPublicKey(parsing: key.base64) == key)
    #expect(try MinisignPublicKey(parsing: key.file) == key)
    for text in ["", "RW", key.base64 + "x", "x\n" + key.base64, String(key.base64.dropLast()), key.file + key.file] {
      #expect(throws: HostError.self) { try MinisignPublicKey(parsing: text) }
    }
  }

  @Test func aKeyOpensWithItsPasswordAlone() throws {
    let key = MinisignSecretKey()
    let open = Array(try key.file(password: nil).utf8)
    #expect(try !MinisignSecretKey.needsPassword(open))
    #expect(try MinisignSecretKey(parsing: open, password: nil).publicKey == key.publicKey)
    let locked = Array(try key.file(password: Array("gate".utf8), cost: .interactive).utf8)
    #expect(try MinisignSecretKey.needsPassword(locked))
    #expect(try MinisignSecretKey(parsing: locked, password: Array("gate".utf8)).publicKey == key.publicKey)
    for password in [nil, [], Array("goat".utf8)] as [[UInt8]?] {
      #expect(throws: HostError.self) { try MinisignSecretKey(parsing: locked, password: password) }
    }
  }

  @Test func aKeyThatAsksForTooMuchWorkIsRefused() throws {
    var lines = try MinisignSecretKey().file(password: nil).split(separator: "\n").map(String.init)
    var body = Array(try #require(Data(base64Encoded: lines[1])))
    body.replaceSubrange(2..<4, with: Array("Sc".utf8))
    body.replaceSubrange(46..<54, with: [255, 255, 255, 255, 255, 255, 255, 127])
    lines[1] = Data(body).base64EncodedString()
    let file = Array((lines.joined(separator: "\n") + "\n").utf8)
    let error = #expect(throws: HostError.self) { try MinisignSecretKey(parsing: file, password: [65]) }
    #expect(error?.code == "bad_key_file")
  }

  /// 100,000 damaged signature files: none is accepted that differs in a covered part.
  @Test func damagedSignaturesAreReadWithoutHarmAndNeverVerify() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SplitMix(seed: seed)
    let key = MinisignSecretKey()
    let signature = try signed(key)
    let text = Array(signature.file.utf8)
    let file = try scratch(message)
    let hash = try withExtendedLifetime(file) { try FileDigest.blake2b(descriptor: file.fileDescriptor) }
    var (parsed, refused) = (0, 0)
    for _ in 0..<100_000 {
      var copy = text
      switch random.next() % 5 {
      case 0: copy.removeLast(Int(random.next() % UInt64(copy.count)))
      case 1: copy.insert(UInt8(random.next() & 255), at: Int(random.next() % UInt64(copy.count)))
      case 2: copy.swapAt(Int(random.next() % UInt64(copy.count)), Int(random.next() % UInt64(copy.count)))
      case 3: for _ in 0..<3 { copy[Int(random.next() % UInt64(copy.count))] = UInt8(random.next() & 255) }
      default: copy[Int(random.next() % UInt64(copy.count))] ^= 1 << UInt8(random.next() % 8)
      }
      do throws(HostError) {
        let found = try MinisignSignature(parsing: copy)
        parsed += 1
        var same = found
        same.untrustedComment = signature.untrustedComment
        if same != signature {
          #expect(throws: HostError.self, "seed \(seed)") {
            try found.verify(message: found.algorithm == .legacy ? message : hash, with: key.publicKey)
          }
        }
      } catch {
        refused += 1
      }
    }
    #expect(parsed > 1000 && refused > 1000, "seed \(seed): \(parsed), \(refused)")
  }

  @Test func randomKeyFilesAreRefused() {
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SplitMix(seed: seed)
    for _ in 0..<20_000 {
      let bytes = (0..<Int(random.next() % 300)).map { _ in UInt8(random.next() & 255) }
      #expect(throws: HostError.self, "seed \(seed)") { try MinisignSecretKey(parsing: bytes, password: []) }
      #expect(throws: HostError.self, "seed \(seed)") {
        try MinisignPublicKey(parsing: String(decoding: bytes, as: UTF8.self))
      }
    }
  }
}

import Canonical
import LedgerCore
import Testing

struct TransactionTests {
  @Test func aBodyIsLaidOutByteForByteAsDocumented() throws {
    let network = try TestNetwork()
    let key = try TestNetwork.key(1)
    let body = try network.call("a.b", [9, 8], by: key, sequence: 0x0102, lane: 3, validUntil: 0x0405).body.bytes
    var expected = Array("symbolon/tx/v1\0".utf8) + network.machine.chain.bytes + key.account.bytes
    expected += [0, 0, 0, 3] + [0, 0, 0, 0, 0, 0, 1, 2] + [0, 0, 0, 0, 0, 0, 4, 5] + [0, 0, 0, 0, 0, 0, 0, 0]
    expected += [0, 3] + Array("a.b".utf8) + [0, 0, 0, 2, 9, 8]
    #expect(body == expected)
    #expect(TransactionBody(body)?.bytes == body)
  }

  @Test func noCutAndNoExtensionOfABodyIsABody() throws {
    let body = try TestNetwork().call("layer.put", [1, 2, 3], by: try TestNetwork.key(1), sequence: 7).body.bytes
    for length in 0..<body.count { #expect(TransactionBody(Array(body.prefix(length))) == nil) }
    #expect(TransactionBody(body + [0]) == nil)
  }

  @Test func changingAnyByteOfATransactionSpoilsIt() throws {
    let bytes = try TestNetwork().transfer(
      5, from: try TestNetwork.key(1), to: try TestNetwork.key(2).account, sequence: 0
    ).bytes
    for index in bytes.indices {
      var changed = bytes
      changed[index] ^= 1
      let code = refusal { _ = try SignedTransaction(verifying: changed, limit: 16_384) }
      #expect(code == "bad_signature" || code == "malformed_transaction", "byte \(index)")
    }
  }

  @Test func anOversizedTransactionIsRefusedBeforeItIsRead() throws {
    #expect(
      refusal { _ = try SignedTransaction(verifying: [UInt8](repeating: 0, count: 16_385), limit: 16_384) }
        == "transaction_too_large")
  }

  @Test func theIdDoesNotDependOnTheSignature() throws {
    let body = try TestNetwork().call("layer.put", by: try TestNetwork.key(1), sequence: 0).body
    let first = try SignedTransaction(trusting: body.bytes + [UInt8](repeating: 1, count: 64))
    let second = try SignedTransaction(trusting: body.bytes + [UInt8](repeating: 2, count: 64))
    #expect(first.id == second.id)
  }

  @Test func randomBytesNeverCrashTheParsers() {
    let seed = UInt64.random(in: 0...(.max))
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<20_000 {
      var bytes = (0..<Int.random(in: 0...400, using: &generator)).map { _ in
        UInt8.random(in: 0...255, using: &generator)
      }
      if Bool.random(using: &generator) { bytes = TransactionBody.tag + bytes }
      _ = TransactionBody(bytes)
      _ = BlockHeader(bytes)
      _ = Account(bytes)
      if let body = TransactionBody(bytes) { #expect(body.bytes == bytes, "seed \(seed)") }
    }
  }
}

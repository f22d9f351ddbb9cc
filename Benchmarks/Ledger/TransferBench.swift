import Dispatch
import Foundation
import LedgerCore
import Synchronization

/// Signed transfers accepted, executed and durable, against libsodium's verifications, in turns.
enum TransferBench {
  private static let accounts = 1000

  static func run(transfers: Int, rounds: Int) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("ledger-bench-\(getpid())").path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let node = try BenchNode.open(folder)
    defer { node.stop() }
    let keys = try (1...accounts).map(BenchNode.key)
    try fund(keys, node)
    var sequence: UInt64 = 0
    var ledger: [Double] = []
    var single: [Double] = []
    var both: [Double] = []
    for _ in 0..<rounds {
      let batch = try sign(transfers, keys, node, from: &sequence)
      single.append(try verify(Array(batch.prefix(10_000)), threads: 1))
      both.append(try verify(batch, threads: 2))
      ledger.append(try submit(batch, node))
    }
    try node.store.audit()
    line("ledger.transfers", median(ledger), rounds, peer: ("libsodium.verify.2threads", median(both)))
    line("libsodium.verify.1thread", median(single), rounds)
  }

  /// Gives every key credits to move.
  private static func fund(_ keys: [KeyPair], _ node: LedgerNode) throws {
    let authority = try BenchNode.key(0)
    let valid = node.store.head.header.height.advanced(by: 5000)
    let batch = try keys.enumerated().map { index, key in
      try SignedTransaction(
        TransactionBody(
          chain: node.machine.chain, sender: authority.account, sequence: Sequence(UInt64(index)), validUntil: valid,
          method: BuiltIn.transfer, arguments: BuiltIn.transferArguments(to: key.account, Amount(1_000_000))),
        signer: authority
      ).bytes
    }
    _ = try submit(batch, node, threads: 1)
  }

  /// Every key sends to another one, in turns.
  private static func sign(
    _ count: Int, _ keys: [KeyPair], _ node: LedgerNode, from sequence: inout UInt64
  ) throws -> [[UInt8]] {
    let valid = node.store.head.header.height.advanced(by: 9000)
    let perKey = count / keys.count
    defer { sequence += UInt64(perKey) }
    return try (0..<perKey * keys.count).map { number in
      let (turn, sender) = number.quotientAndRemainder(dividingBy: keys.count)
      let receiver = (sender * 7 + 13 + turn) % keys.count
      return try SignedTransaction(
        TransactionBody(
          chain: node.machine.chain, sender: keys[sender].account, sequence: Sequence(sequence + UInt64(turn)),
          validUntil: valid, method: BuiltIn.transfer,
          arguments: BuiltIn.transferArguments(
            to: keys[receiver == sender ? (receiver + 1) % keys.count : receiver].account, Amount(1))),
        signer: keys[sender]
      ).bytes
    }
  }

  /// Submitters verify on their own threads, as the host's threads do, and keep many transactions under way.
  private static func submit(_ batch: [[UInt8]], _ node: LedgerNode, threads: Int = 2) throws -> Double {
    let refused = Mutex<LedgerError?>(nil)
    let answered = DispatchSemaphore(value: 0)
    let underWay = DispatchSemaphore(value: 8192)
    let start = DispatchTime.now()
    DispatchQueue.concurrentPerform(iterations: threads) { worker in
      for index in stride(from: worker, to: batch.count, by: threads) {
        underWay.wait()
        do throws(LedgerError) {
          let transaction = try SignedTransaction(verifying: batch[index], limit: node.machine.limits.transactionBytes)
          try node.enqueue(transaction) { result in
            if case .failure(let error) = result { refused.withLock { $0 = error } }
            underWay.signal()
            answered.signal()
          }
        } catch {
          refused.withLock { $0 = error }
          underWay.signal()
          answered.signal()
        }
      }
    }
    for _ in batch { answered.wait() }
    let seconds = Double(DispatchTime.now().uptimeNanoseconds - start.uptimeNanoseconds) / 1e9
    if let error = refused.withLock({ $0 }) { throw error }
    return Double(batch.count) / seconds
  }

  /// Nothing but libsodium's verification of the same bytes.
  private static func verify(_ batch: [[UInt8]], threads: Int) throws -> Double {
    let work = batch.map { (body: Array($0.dropLast(64)), signature: Array($0.suffix(64))) }
    let senders = try batch.map { try SignedTransaction(trusting: $0).body.sender.bytes }
    let wrong = Atomic<Int>(0)
    let start = DispatchTime.now()
    DispatchQueue.concurrentPerform(iterations: threads) { worker in
      for index in stride(from: worker, to: work.count, by: threads)
      where !Ed25519.isValid(work[index].signature, of: work[index].body, by: senders[index]) {
        wrong.add(1, ordering: .relaxed)
      }
    }
    let seconds = Double(DispatchTime.now().uptimeNanoseconds - start.uptimeNanoseconds) / 1e9
    guard wrong.load(ordering: .relaxed) == 0 else { throw LedgerError(.internal, "wrong", "A signature is wrong.") }
    return Double(batch.count) / seconds
  }

  private static func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

  private static func line(_ name: String, _ value: Double, _ rounds: Int, peer: (name: String, value: Double)? = nil) {
    let comparison = peer.map { ",\"peer\":\"\($0.name)\",\"peer_value\":\(Int($0.value))" } ?? ""
    print("{\"name\":\"\(name)\",\"value\":\(Int(value)),\"unit\":\"/s\",\"median_of\":\(rounds)\(comparison)}")
  }
}

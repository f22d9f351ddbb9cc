import Foundation
import LedgerCore

/// Transfers without end and says on standard output what was acknowledged, until somebody kills it.
enum CrashChild {
  static func run(folder: String) throws {
    let node = try BenchNode.open(folder)
    let threads = try (0..<4).map { lane in
      let thread = try worker(UInt32(lane), node)
      thread.start()
      return thread
    }
    while threads.contains(where: { !$0.isFinished }) { Thread.sleep(forTimeInterval: 0.1) }
  }

  /// One lane of the authority's account: each transaction waits for its receipt, is announced, and the next follows.
  private static func worker(_ lane: UInt32, _ node: LedgerNode) throws -> Thread {
    let authority = try BenchNode.key(0)
    let receiver = try BenchNode.key(Int(lane) + 1).account
    let first = try node.store.nextSequence(of: authority.account, Lane(lane))
    return Thread {
      var sequence = first
      while true {
        do {
          let transaction = try SignedTransaction(
            TransactionBody(
              chain: node.machine.chain, sender: authority.account, lane: Lane(lane), sequence: sequence,
              validUntil: node.store.head.header.height.advanced(by: 1000), method: BuiltIn.transfer,
              arguments: BuiltIn.transferArguments(to: receiver, Amount(1 + sequence.value % 3))),
            signer: authority)
          let receipt = try node.submit(transaction.bytes)
          announce("\(receipt.transaction) \(receipt.height) \(lane) \(sequence)\n")
          guard let next = sequence.next else { return }
          sequence = next
        } catch {
          FileHandle.standardError.write(Data("\(error)\n".utf8))
          exit(1)
        }
      }
    }
  }

  /// One write call a line: lines of several threads do not mix, and nothing waits in a buffer.
  private static func announce(_ line: String) {
    let bytes = Array(line.utf8)
    _ = write(STDOUT_FILENO, bytes, bytes.count)
  }
}

/// All that the governance layer sees of the world: its own namespace of the ledger, and who asks.
///
/// `Entry` implements it by imports of `ledger.*`, tests by a dictionary. Inside a transaction writes last only if the
/// transaction succeeds; outside, the last committed block is read and writing fails.
package protocol LedgerState {
  /// The account whose signed transaction this is.
  var sender: AccountID? { get }
  /// The id of the plugin that called; `governance` when an executed proposal did.
  var caller: String? { get }

  func get(_ key: [UInt8]) throws -> [UInt8]?
  func put(_ key: [UInt8], _ value: [UInt8]) throws
  func remove(_ key: [UInt8]) throws
  /// Entries whose key begins with `prefix` and comes after `after`, in key order; empty `after`: from the start.
  func range(prefix: [UInt8], after: [UInt8], limit: Int) throws -> [(key: [UInt8], value: [UInt8])]
  /// Tells everyone who listens, once the block is committed; `payload` is JSON.
  func emit(_ topic: String, _ payload: String) throws
  /// The block that a transaction is in; outside of one, the last committed block.
  func height() throws -> Height
  /// Asks for blocks until this height, so that time passes without traffic.
  func wake(_ height: Height) throws
  /// Whom genesis trusts to give the first badges.
  func authority() throws -> AccountID
}

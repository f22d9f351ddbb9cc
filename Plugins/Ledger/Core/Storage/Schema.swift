import GRDB

/// The tables, and what marks a file as one of ours.
enum Schema {
  /// "SYMB", in the file's header.
  static let applicationID = 0x5359_4D42
  /// Grows with every change of the tables.
  static let version = 2

  /// Which builds of layers executed a block; since version 2.
  static let layers = """
    CREATE TABLE layers (
      height INTEGER NOT NULL, namespace TEXT NOT NULL, library BLOB NOT NULL,
      PRIMARY KEY (height, namespace, library)) WITHOUT ROWID;
    """

  static let tables = """
    CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE blocks (
      height INTEGER PRIMARY KEY, hash BLOB NOT NULL, header BLOB NOT NULL, signature BLOB NOT NULL);
    CREATE TABLE transactions (
      position INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, bytes BLOB NOT NULL, status INTEGER NOT NULL,
      code TEXT NOT NULL, message TEXT NOT NULL, result BLOB NOT NULL);
    CREATE TABLE state (
      namespace TEXT NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, PRIMARY KEY (namespace, key)) WITHOUT ROWID;
    CREATE TABLE namespaces (name TEXT PRIMARY KEY, root BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE entries (
      account BLOB NOT NULL, position INTEGER NOT NULL, part INTEGER NOT NULL, kind INTEGER NOT NULL,
      counterparty BLOB, amount INTEGER NOT NULL, PRIMARY KEY (account, position, part)) WITHOUT ROWID;
    CREATE TABLE events (
      position INTEGER NOT NULL, part INTEGER NOT NULL, namespace TEXT NOT NULL, topic TEXT NOT NULL,
      payload TEXT NOT NULL, PRIMARY KEY (position, part)) WITHOUT ROWID;
    """ + layers
}

/// Where a transaction is: height and index in one integer that SQLite sorts.
struct Position: Hashable, Sendable {
  let rowID: Int64

  init(_ height: Height, _ index: Int) { rowID = Int64(clamping: height.value) << 20 | Int64(index) }

  init(rowID: Int64) { self.rowID = rowID }

  var height: Height { Height(UInt64(rowID >> 20)) }
  var index: Int { Int(rowID & 0xF_FFFF) }
}

extension LedgerError {
  /// What SQLite says, as a sentence that tells the operator what to do.
  init(_ error: any Error, at path: String) {
    if let own = error as? LedgerError {
      self = own
      return
    }
    guard let error = error as? DatabaseError else {
      self.init(.internal, "storage_failed", "The ledger's storage at \(path) failed: \(error).")
      return
    }
    let said = error.message ?? "\(error.resultCode)"
    switch error.resultCode {
    case .SQLITE_FULL:
      self.init(
        .unavailable, "storage_full",
        "The disk under \(path) is full; nothing of this was written. Free some space and submit again.")
    case .SQLITE_CORRUPT, .SQLITE_NOTADB:
      self = .corrupt("\(path): \(said)")
    case .SQLITE_READONLY, .SQLITE_CANTOPEN, .SQLITE_PERM, .SQLITE_AUTH:
      self.init(
        .unavailable, "storage_permission",
        "The ledger may not write to \(path) (\(said)): give the node's user the rights to this folder and its files.")
    case .SQLITE_BUSY, .SQLITE_LOCKED:
      self.init(
        .unavailable, "storage_in_use",
        "Another process holds \(path): stop it, or give this node another data folder.")
    default:
      self.init(
        .unavailable, "storage_failed",
        "The ledger's storage at \(path) failed (\(said)); nothing of this was written. "
          + "Check the disk and submit again."
      )
    }
  }
}

import Canonical

/// Where the journal's bytes live: a file, or a simulated disk in tests.
///
/// The meter calls everything but `sync` under its lock; `sync` may run while another thread appends.
package protocol JournalStore: Sendable {
  /// All bytes of the journal; none when it is new.
  func load() throws -> [UInt8]
  /// Appends at the end; on an error the journal may have grown by a part of the bytes.
  func append(_ bytes: [UInt8]) throws
  /// Returns when every byte appended before the call is durable.
  func sync() throws
  /// Puts other bytes in the place of the journal: afterwards, and after a crash, it has either all or none of them.
  func replace(with bytes: [UInt8]) throws
}

/// How records lie in the journal's bytes.
///
/// A frame is `u32 length | u32 CRC-32C | u64 durable | payload`. `durable` is how much of the journal was known to be
/// on the disk when the frame was written. By it a reader tells a tail that a crash tore (bytes that were never
/// promised) from damage to bytes that were.
package enum Framing {
  package static let magic = Array("SYMJRNL1".utf8)
  static let headerSize = 16
  static let maximumPayload = 4096

  package static func frame(_ record: Record, durable: Int) -> [UInt8] {
    let payload = record.encoded
    var checked = CanonicalWriter()
    checked.u32(UInt32(payload.count))
    checked.u64(UInt64(durable))
    checked.raw(payload)
    var writer = CanonicalWriter()
    writer.u32(UInt32(payload.count))
    writer.u32(CRC32C.checksum(checked.bytes))
    writer.raw(checked.bytes.dropFirst(4))
    return writer.bytes
  }

  /// What a journal's bytes say.
  package struct Reading {
    package var records: [Record] = []
    /// How many bytes at the end belong to no whole record.
    package var tornBytes = 0
  }

  /// Reads all records; refuses bytes that are no journal, and a journal damaged before its end.
  package static func read(_ bytes: [UInt8]) throws(Refusal) -> Reading {
    var reading = Reading()
    guard bytes.count >= magic.count else {
      guard magic.starts(with: bytes) else { throw notAJournal }
      reading.tornBytes = bytes.count
      return reading
    }
    guard bytes.starts(with: magic) else { throw notAJournal }
    var position = magic.count
    while position < bytes.count {
      guard let frame = frame(at: position, in: bytes) else {
        try refuseDamage(at: position, in: bytes)
        reading.tornBytes = bytes.count - position
        return reading
      }
      reading.records.append(frame.record)
      position = frame.end
    }
    return reading
  }

  private static let notAJournal = Refusal(
    .dataLoss, "not_a_journal",
    "The metering journal does not begin as one: another file was put in its place. "
      + "Restore it, or move it away to start from the ledger alone.")

  private static func frame(at position: Int, in bytes: [UInt8]) -> (record: Record, durable: Int, end: Int)? {
    var reader = CanonicalReader(bytes[position...])
    guard let length = try? reader.u32(), (1...UInt32(maximumPayload)).contains(length),
      let checksum = try? reader.u32(), let durable = try? reader.u64(), let payload = try? reader.raw(Int(length))
    else { return nil }
    let checked = bytes[position..<position + 4] + bytes[position + 8..<position + headerSize + Int(length)]
    guard CRC32C.checksum(checked) == checksum, let record = Record(payload[...]) else { return nil }
    return (record, Int(clamping: durable), position + headerSize + Int(length))
  }

  /// Throws when a later frame was written after the bytes at `position` were durable: then no crash made this hole.
  private static func refuseDamage(at position: Int, in bytes: [UInt8]) throws(Refusal) {
    var later = position + 1
    while later + headerSize < bytes.count {
      if let frame = frame(at: later, in: bytes) {
        guard frame.durable <= position else {
          throw Refusal(
            .dataLoss, "journal_damaged",
            "The metering journal is damaged at byte \(position), before its end. Restore it from a backup, or move "
              + "it away: the node then starts from the ledger and the charges not yet settled are lost.")
        }
        later = frame.end
      } else {
        later += 1
      }
    }
  }
}

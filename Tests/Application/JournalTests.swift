import ApplicationCore
import Glibc
import Synchronization
import Testing

private let time = FakeTime()

/// A journal with one open key and several charges, all of it synced.
private func writtenJournal() throws -> [UInt8] {
  let disk = SimulatedDisk(Power())
  let meter = try Meter(store: disk, limits: Meter.Limits(), clock: time.clock)
  try meter.beginOpening(testKey(1), budget: Amount(100_000))
  try meter.finishOpening(testKey(1), budget: Amount(100_000))
  for _ in 0..<10 {
    let demand = Meter.Demand(
      price: Price(version: 1, prompt: 1000, completion: 1000), promptTokens: 3, completion: 4, leastCompletion: 4)
    meter.charge(try meter.reserve(testKey(1), demand), TokenCounts(prompt: 3, completion: 2))
    try meter.commit()
  }
  return try disk.load()
}

@Suite struct JournalTests {
  @Test func everyRecordSurvivesItsEncoding() {
    var entry = KeyEntry(phase: .revoked, budget: Amount(9))
    entry.requests = 3
    entry.tokens = TokenCounts(prompt: 4, completion: 5)
    let records: [Record] = [
      .opening(key: testKey(1), budget: Amount(1)), .opened(key: testKey(1), budget: Amount(.max)),
      .abandoned(key: testKey(2)), .reserve(id: 5, key: testKey(1), amount: Amount(6)),
      .charge(id: 5, amount: Amount(4), tokens: TokenCounts(prompt: 1, completion: 2)), .release(id: 7),
      .paid(request: [UInt8](repeating: 3, count: 16), amount: Amount(8), milliseconds: 9), .seal(batch: 1),
      .settled(batch: 1), .ledger(key: testKey(1), budget: Amount(2), charged: Amount(1), closed: true),
      .revoked(key: testKey(1)), .closed(key: testKey(1)), .key(testKey(3), entry),
      .counters(batch: 4, isPending: true, reservation: 11),
    ]
    for record in records { #expect(Record(record.encoded[...]) == record) }
  }

  @Test func checksumMatchesTheStandardsExample() {
    // RFC 3720, B.4: 32 bytes of zeros.
    #expect(CRC32C.checksum([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
  }

  @Test func damageBeforeTheEndIsRefusedAtEveryByte() throws {
    let whole = try writtenJournal()
    // The last three frames may be what was never synced; everything before them was promised.
    for index in 0..<(whole.count - 250) {
      var damaged = whole
      damaged[index] ^= 0x55
      let disk = SimulatedDisk(Power(), bytes: damaged)
      #expect(throws: Refusal.self, "byte \(index)") {
        try Meter(store: disk, limits: Meter.Limits(), clock: time.clock)
      }
    }
  }

  @Test func aTornTailIsCutOffAndReported() throws {
    let whole = try writtenJournal()
    let meter = try Meter(
      store: SimulatedDisk(Power(), bytes: whole.dropLast(5) + []), limits: Meter.Limits(), clock: time.clock)
    #expect(meter.recovery.tornBytes > 0)
    #expect(meter.book.keys[testKey(1)]?.charged == Amount(45))
  }

  @Test func whatACrashLeftReservedIsReturned() throws {
    let disk = SimulatedDisk(Power())
    let meter = try Meter(store: disk, limits: Meter.Limits(), clock: time.clock)
    try meter.beginOpening(testKey(1), budget: Amount(1000))
    try meter.finishOpening(testKey(1), budget: Amount(1000))
    let demand = Meter.Demand(
      price: Price(version: 1, prompt: 0, completion: 1000), promptTokens: 1, completion: 300, leastCompletion: 300)
    _ = try meter.reserve(testKey(1), demand)
    #expect(meter.book.keys[testKey(1)]?.balance == Amount(700))
    let again = try Meter(
      store: SimulatedDisk(Power(), bytes: try disk.load()), limits: Meter.Limits(), clock: time.clock)
    #expect(again.recovery.orphans == 1 && again.recovery.returned == Amount(300))
    #expect(again.book.keys[testKey(1)]?.balance == Amount(1000))
  }

  @Test func aFullDiskRefusesNewRequestsAndLosesNoCharge() throws {
    let disk = SimulatedDisk(Power())
    let time = FakeTime()
    let meter = try Meter(store: disk, limits: Meter.Limits(), clock: time.clock)
    try meter.beginOpening(testKey(1), budget: Amount(1000))
    try meter.finishOpening(testKey(1), budget: Amount(1000))
    let demand = Meter.Demand(
      price: Price(version: 1, prompt: 0, completion: 1000), promptTokens: 1, completion: 100, leastCompletion: 100)
    let reservation = try meter.reserve(testKey(1), demand)
    disk.state.withLock { $0.isFull = true }
    meter.charge(reservation, TokenCounts(prompt: 1, completion: 40))
    #expect(throws: Refusal.self) { try meter.commit() }
    #expect { try meter.reserve(testKey(1), demand) } throws: { ($0 as? Refusal)?.httpStatus == 503 }
    #expect(meter.book.keys[testKey(1)]?.charged == Amount(40))
    disk.state.withLock { $0.isFull = false }
    time.advance(2000)
    meter.release(try meter.reserve(testKey(1), demand))
    try meter.commit()
    let again = try Meter(
      store: SimulatedDisk(Power(), bytes: try disk.load()), limits: Meter.Limits(), clock: time.clock)
    #expect(again.book.keys[testKey(1)]?.charged == Amount(40))
  }

  @Test func aFailedSyncIsHealedByARewrite() throws {
    let disk = SimulatedDisk(Power())
    let time = FakeTime()
    let meter = try Meter(store: disk, limits: Meter.Limits(), clock: time.clock)
    disk.state.withLock { $0.syncFails = true }
    #expect(throws: Refusal.self) { try meter.beginOpening(testKey(1), budget: Amount(10)) }
    #expect(meter.fault != nil)
    disk.state.withLock { $0.syncFails = false }
    try meter.beginOpening(testKey(2), budget: Amount(10))
    try meter.finishOpening(testKey(2), budget: Amount(10))
    #expect(meter.fault == nil)
    #expect(meter.book.keys[testKey(2)]?.phase == .open)
  }

  @Test func theJournalStaysSmall() throws {
    let power = Power()
    let disk = SimulatedDisk(power)
    let ledger = MemoryLedger(power)
    let meter = try Meter(store: disk, limits: Meter.Limits(maximumJournalBytes: 20_000), clock: time.clock)
    let settler = Settler(meter: meter, ledger: ledger) { _ in }
    try KeyOffice(meter: meter, settler: settler, ledger: ledger).open(testKey(1), budget: Amount(1_000_000))
    let demand = Meter.Demand(
      price: Price(version: 1, prompt: 0, completion: 1000), promptTokens: 1, completion: 10, leastCompletion: 10)
    for index in 0..<5000 {
      meter.charge(try meter.reserve(testKey(1), demand), TokenCounts(prompt: 1, completion: 10))
      if index % 50 == 49 { try settler.flush() }
    }
    #expect(meter.journalBytes < 30_000)
    #expect(ledger.allKeys[testKey(1)]?.charged == Amount(50_000))
  }

  @Test func theRealFileIsLockedAppendedAndReplaced() throws {
    var template = Array("/tmp/symbolon-journal-XXXXXX".utf8CString)
    let folder = try #require(mkdtemp(&template).map { String(cString: $0) })
    defer { for file in ["metering.journal", "metering.lock"] { unlink(folder + "/" + file) }; rmdir(folder) }
    do {
      let store = try PosixJournalStore(folder: folder)
      try store.append([1, 2, 3])
      try store.sync()
      #expect(try store.load() == [1, 2, 3])
      try store.replace(with: [9])
      try store.append([8])
      #expect(try store.load() == [9, 8])
      #expect(throws: Refusal.self) { try PosixJournalStore(folder: folder) }
    }
    #expect(try PosixJournalStore(folder: folder).load() == [9, 8])
    var status = stat()
    #expect(stat(folder + "/metering.journal", &status) == 0 && status.st_mode & 0o777 == 0o600)
  }

  @Test func anotherFileInTheJournalsPlaceIsRefused() {
    let disk = SimulatedDisk(Power(), bytes: Array("#!/bin/sh\necho hello".utf8))
    #expect { try Meter(store: disk, limits: Meter.Limits(), clock: time.clock) } throws: {
      ($0 as? Refusal)?.code == "not_a_journal"
    }
  }
}

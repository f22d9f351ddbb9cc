import FoundationEssentials

/// What the dynamic loader reads of a shared library; every access is checked, because a file may say anything.
struct ElfFile {
  let machine: UInt16
  let type: UInt16
  private(set) var needed: [String] = []
  private(set) var searchPaths: [String] = []
  private(set) var hasTextRelocations = false
  /// Nil when the file does not say.
  private(set) var stackIsExecutable: Bool?
  private(set) var hasWritableCode = false
  private(set) var exported: [String] = []

  private let bytes: Data

  init(contentsOf path: String) throws(CaseEnd) {
    do {
      bytes = try Data(contentsOf: URL(filePath: path), options: .mappedIfSafe)
    } catch {
      throw .fail("\(path) cannot be read.")
    }
    guard bytes.count >= 64, bytes.prefix(4).elementsEqual([0x7f, 0x45, 0x4c, 0x46]) else {
      throw .fail("It is no ELF file: build a shared library (-shared -fPIC).")
    }
    guard bytes[bytes.startIndex + 4] == 2, bytes[bytes.startIndex + 5] == 1 else {
      throw .fail("It is no 64-bit little-endian ELF file.")
    }
    machine = try Self.number(bytes, 18, UInt16.self)
    type = try Self.number(bytes, 16, UInt16.self)
    try readSegments()
    try readSections()
  }

  private static func number<T: FixedWidthInteger>(_ bytes: Data, _ offset: UInt64, _ type: T.Type) throws(CaseEnd) -> T
  {
    let (end, overflow) = offset.addingReportingOverflow(UInt64(MemoryLayout<T>.size))
    guard !overflow, end <= UInt64(bytes.count) else { throw .fail("The ELF file ends inside one of its tables.") }
    return bytes.withUnsafeBytes { T(littleEndian: $0.loadUnaligned(fromByteOffset: Int(offset), as: T.self)) }
  }

  private func number<T: FixedWidthInteger>(_ offset: UInt64, _ type: T.Type = T.self) throws(CaseEnd) -> T {
    try Self.number(bytes, offset, type)
  }

  private func text(_ table: (offset: UInt64, size: UInt64), _ index: UInt64) -> String {
    let (start, overflow) = table.offset.addingReportingOverflow(index)
    guard !overflow, index < table.size, start < UInt64(bytes.count) else { return "" }
    let rest = bytes.dropFirst(Int(start)).prefix(Int(min(table.size - index, 4096)))
    return String(decoding: rest.prefix { $0 != 0 }, as: UTF8.self)
  }

  /// The place of `index` in a table at `offset`; the number of rows is 16 bits wide, so that nothing overflows.
  private func row(_ offset: UInt64, _ index: UInt64, _ size: UInt64) -> UInt64 { offset &+ index &* size }

  private mutating func readSegments() throws(CaseEnd) {
    let table: UInt64 = try number(32)
    let count: UInt16 = try number(56)
    for index in 0..<UInt64(count) {
      let segment = row(table, index, 56)
      let kind: UInt32 = try number(segment)
      let flags: UInt32 = try number(segment &+ 4)
      if kind == 0x6474_e551 { stackIsExecutable = flags & 1 != 0 }
      if kind == 1, flags & 3 == 3 { hasWritableCode = true }
    }
  }

  private mutating func readSections() throws(CaseEnd) {
    let table: UInt64 = try number(40)
    let count: UInt16 = try number(60)
    for index in 0..<UInt64(count) {
      let section = row(table, index, 64)
      let kind: UInt32 = try number(section &+ 4)
      guard kind == 6 || kind == 11 else { continue }
      let link: UInt32 = try number(section &+ 40)
      let strings = row(table, UInt64(link), 64)
      let names: (offset: UInt64, size: UInt64) = (try number(strings &+ 24), try number(strings &+ 32))
      let place: (offset: UInt64, size: UInt64) = (try number(section &+ 24), try number(section &+ 32))
      if kind == 6 { try readDynamic(place, names) } else { try readSymbols(place, names) }
    }
  }

  private mutating func readDynamic(
    _ place: (offset: UInt64, size: UInt64), _ names: (offset: UInt64, size: UInt64)
  ) throws(CaseEnd) {
    for index in 0..<min(place.size / 16, 4096) {
      let tag: UInt64 = try number(row(place.offset, index, 16))
      let value: UInt64 = try number(row(place.offset, index, 16) &+ 8)
      switch tag {
      case 0: return
      case 1: needed.append(text(names, value))
      case 15, 29: searchPaths += text(names, value).split(separator: ":").map(String.init)
      case 22: hasTextRelocations = true
      case 30 where value & 4 != 0: hasTextRelocations = true
      default: break
      }
    }
  }

  private mutating func readSymbols(
    _ place: (offset: UInt64, size: UInt64), _ names: (offset: UInt64, size: UInt64)
  ) throws(CaseEnd) {
    for index in 0..<min(place.size / 24, 1_000_000) {
      let symbol = row(place.offset, index, 24)
      let name: UInt32 = try number(symbol)
      let info: UInt8 = try number(symbol &+ 4)
      let visibility: UInt8 = try number(symbol &+ 5)
      let section: UInt16 = try number(symbol &+ 6)
      // Defined, and global, weak or unique, and not hidden.
      guard section != 0, [1, 2, 10].contains(info >> 4), visibility & 3 == 0 || visibility & 3 == 3 else { continue }
      exported.append(text(names, UInt64(name)))
    }
  }
}

import FoundationEssentials

#if canImport(Glibc)
  import Glibc
#endif

/// What the kernel says about this process.
package struct ProcessMemory: Sendable {
  /// Bytes.
  package var resident: Int
  /// Unix seconds.
  package var startedUnix: Double

  /// Reads /proc; nil where there is none.
  package static func read() -> ProcessMemory? {
    guard let status = text("/proc/self/statm"), let stat = text("/proc/self/stat"), let boot = text("/proc/stat")
    else { return nil }
    let pages = status.split(separator: " ")
    // Field 22 of stat; the name in parentheses may contain spaces, so count after it.
    guard let end = stat.lastIndex(of: ")"), pages.count > 1, let resident = Int(pages[1]) else { return nil }
    let fields = stat[end...].split(separator: " ")
    let bootLine = boot.split(separator: "\n").first { $0.hasPrefix("btime ") }
    guard fields.count > 20, let ticks = Double(fields[20]), let booted = bootLine.flatMap({ Double($0.dropFirst(6)) })
    else { return nil }
    let ticksPerSecond = Double(sysconf(Int32(_SC_CLK_TCK)))
    return ProcessMemory(
      resident: resident * sysconf(Int32(_SC_PAGESIZE)), startedUnix: booted + ticks / ticksPerSecond)
  }

  private static func text(_ path: String) -> String? {
    guard let file = fopen(path, "r") else { return nil }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 64 * 1024)
    let count = fread(&bytes, 1, bytes.count, file)
    return String(decoding: bytes.prefix(count), as: UTF8.self)
  }
}

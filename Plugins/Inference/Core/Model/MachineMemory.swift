#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// How much memory this process may use.
enum MachineMemory {
  /// Bytes: what the machine has, or less where a control group allows less.
  static let bytes: Int = {
    let machine = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))
    let limits = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"].compactMap(number)
    return ([machine] + limits).filter { $0 > 0 }.min() ?? 1 << 30
  }()

  private static func number(in path: String) -> Int? {
    guard let file = fopen(path, "r") else { return nil }
    defer { fclose(file) }
    var line = [UInt8](repeating: 0, count: 32)
    let count = fread(&line, 1, line.count, file)
    return Int(String(decoding: line.prefix(count).prefix { $0 > 0x20 }, as: UTF8.self))
  }
}

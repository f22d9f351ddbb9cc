import CSandbox
import Glibc

/// What a process takes from itself before any code of a plugin can run in it: a worker, and a case of the conformance
/// test.
enum Sandbox {
  /// Confines this process, which has one thread, for good; gives back what the kernel holds it to.
  static func confine(read: [String], write: [String], ports: [UInt16], memory: UInt64) -> Confinement {
    let paths =
      readable.map { ($0, false) } + [("/dev/null", true)] + read.map { ($0, false) } + write.map { ($0, true) }
    var native = paths.map { symbolon_sandbox_path(path: permanentText($0.0), write: $0.1 ? 1 : 0) }
    return native.withUnsafeMutableBufferPointer { paths in
      ports.withUnsafeBufferPointer { ports in
        var sandbox = symbolon_sandbox()
        sandbox.paths = UnsafePointer(paths.baseAddress)
        sandbox.path_count = UInt32(paths.count)
        sandbox.ports = ports.baseAddress
        sandbox.port_count = UInt32(ports.count)
        sandbox.data_bytes = memory
        sandbox.files = 1024
        return Confinement(symbolon_confine(&sandbox))
      }
    }
  }

  /// What every program reads: libraries, time zones, devices without content, the processors, itself.
  private static var readable: [String] {
    var paths = [
      "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/share/zoneinfo", "/usr/share/locale", "/etc/ld.so.cache",
      "/etc/localtime", "/dev/zero", "/dev/random", "/dev/urandom", "/sys/devices/system/cpu", "/proc/self",
      "/proc/cpuinfo", "/proc/meminfo",
    ]
    for folder in loadedFolders() where !paths.contains(where: { folder == $0 || folder.hasPrefix($0 + "/") }) {
      paths.append(folder)
    }
    return paths
  }

  /// Folders of the libraries that are mapped now: the Swift runtime lies wherever its toolchain was unpacked.
  private static func loadedFolders() -> Set<String> {
    guard let file = fopen("/proc/self/maps", "r") else { return [] }
    defer { fclose(file) }
    var folders: Set<String> = []
    var line = [CChar](repeating: 0, count: 8192)
    while fgets(&line, Int32(line.count), file) != nil {
      let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      guard let start = text.firstIndex(of: "/"), text.contains(".so"), let end = text.lastIndex(of: "/") else {
        continue
      }
      folders.insert(String(text[start..<end]))
    }
    return folders
  }
}

import CLanes
import CSandbox
import Glibc

/// From the first instruction of a worker to the moment when it serves.
enum WorkerMain {
  private static let control: Int32 = 3
  private static let sharedMemory: Int32 = 4

  /// Runs this process as a worker of `parent`; what it is told lies on lane 0, `helloBytes` long.
  static func run(parent: Int32, helloBytes: Int) -> Never {
    guard symbolon_die_with(parent) == 0 else { _exit(0) }
    symbolon_close_from(5)
    signal(SIGPIPE, SIG_IGN)
    do throws(HostError) {
      let memory = try LaneMemory(inherited: sharedMemory)
      let process: WorkerProcess
      do throws(HostError) {
        let hello = try readHello(memory, helloBytes)
        symbolon_note_memory_at_death(memory.memoryAtDeath)
        let confinement = confine(hello)
        let library = try Library(opening: hello.library, expecting: hello.id, liveEntries: [])
        process = try WorkerProcess(hello, library, memory, control: control)
        report(
          .object(["confinement": confinement.json, "description": library.description.json]), memory)
      } catch {
        report(.object(["error": error.json]), memory)
        throw error
      }
      process.serve()
    } catch {
      StandardError.write(error.message + "\n")
      // The host reads the report before it looks at the end of this process.
      _exit(0)
    }
  }

  private static func readHello(_ memory: LaneMemory, _ count: Int) throws(HostError) -> WorkerHello {
    guard count > 0, count <= LaneMemory.messageLimit else {
      throw .invalid("bad_hello", "A worker is started by the host alone.")
    }
    let bytes = UnsafeRawBufferPointer(start: memory.arena(0, of: .host), count: count)
    return try WorkerHello(json: try JSONValue(parsing: bytes))
  }

  private static func report(_ value: JSONValue, _ memory: LaneMemory) {
    let bytes = Array(value.text.utf8)
    guard bytes.count <= LaneMemory.messageLimit else {
      WorkerProcess.end("The description has more than \(LaneMemory.messageLimit >> 20) MiB.")
    }
    memory.arena(0, of: .worker).copyMemory(from: bytes, byteCount: bytes.count)
    ControlDatagram(kind: .ready, value: 0, number: UInt64(bytes.count)).send(to: control)
  }

  /// Takes from this process what the plugin may not have, before any of its code can run.
  private static func confine(_ hello: WorkerHello) -> Confinement {
    var paths = readable(hello.library.path) + hello.read.map { ($0, false) } + hello.write.map { ($0, true) }
    if !hello.storage.isEmpty { paths.append((hello.storage, true)) }
    var native = paths.map { symbolon_sandbox_path(path: permanentText($0.0), write: $0.1 ? 1 : 0) }
    return native.withUnsafeMutableBufferPointer { paths in
      hello.ports.withUnsafeBufferPointer { ports in
        var sandbox = symbolon_sandbox()
        sandbox.paths = UnsafePointer(paths.baseAddress)
        sandbox.path_count = UInt32(paths.count)
        sandbox.ports = ports.baseAddress
        sandbox.port_count = UInt32(ports.count)
        sandbox.data_bytes = hello.memory + ownMemory
        sandbox.files = 1024
        return Confinement(symbolon_confine(&sandbox))
      }
    }
  }

  /// What this program itself and the stacks of its lanes may take besides the plugin's limit.
  private static let ownMemory = UInt64(64 << 20) + UInt64(LaneMemory.hostLanes) * (4 << 20)

  /// What every program reads: libraries, time zones, devices without content, the processors, itself.
  private static func readable(_ library: String) -> [(String, Bool)] {
    var paths = [
      "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/share/zoneinfo", "/usr/share/locale", "/etc/ld.so.cache",
      "/etc/localtime", "/dev/zero", "/dev/random", "/dev/urandom", "/sys/devices/system/cpu", "/proc/self",
      "/proc/cpuinfo", "/proc/meminfo", library,
    ]
    for folder in loadedFolders() where !paths.contains(where: { folder == $0 || folder.hasPrefix($0 + "/") }) {
      paths.append(folder)
    }
    return paths.map { ($0, false) } + [("/dev/null", true)]
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

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
    Sandbox.confine(
      read: [hello.library.path] + hello.read, write: hello.write + (hello.storage.isEmpty ? [] : [hello.storage]),
      ports: hello.ports, memory: hello.memory + ownMemory)
  }

  /// What this program itself and the stacks of its lanes may take besides the plugin's limit.
  private static let ownMemory = UInt64(64 << 20) + UInt64(LaneMemory.hostLanes) * (4 << 20)
}

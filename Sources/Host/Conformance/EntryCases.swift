import Glibc
import PluginAPI

/// The one exported function, and what it answers.
enum EntryCases {
  static let all: [ConformanceCase] = [
    ConformanceCase("load.now", "All its symbols are there when it is opened", needs: "file.elf") {
      context throws(CaseEnd) in
      guard dlopen(context.path, RTLD_NOW | RTLD_LOCAL | Int32(bitPattern: UInt32(RTLD_NODELETE))) != nil else {
        return .failed("It cannot be loaded: \(String(cString: dlerror())).")
      }
      return .success
    },
    ConformanceCase("entry.found", "The entry answers with a description", needs: "load.now") {
      context throws(CaseEnd) in
      _ = try context.described()
      return .success
    },
    ConformanceCase("entry.twice", "Asked twice, it describes itself twice alike", needs: "entry.found") {
      context throws(CaseEnd) in
      let entry = try context.entry()
      guard let first = entry(UInt32(SYMBOLON_ABI)) else { throw .fail("The entry gives NULL.") }
      let before = try copy(first)
      guard let second = entry(UInt32(SYMBOLON_ABI)) else { return .failed("The second time the entry gives NULL.") }
      return try before == copy(second) ? .success : .failed("The second description is another than the first.")
    },
    ConformanceCase("entry.older-host", "A host of ABI 0 gets NULL or a description", needs: "entry.found") {
      context throws(CaseEnd) in
      guard let native = try context.entry()(0) else { return .success }
      return native.pointee.abi > 0 ? .success : .failed("It claims to be built for ABI 0.")
    },
    ConformanceCase("entry.newer-host", "A host of a later ABI gets the description", needs: "entry.found") {
      context throws(CaseEnd) in
      guard try context.entry()(UInt32(SYMBOLON_ABI) + 1) != nil else {
        return .warning("It refuses ABI \(SYMBOLON_ABI + 1): let the host decide, compare with >= and not with ==.")
      }
      return .success
    },
    ConformanceCase("entry.abi", "It was built for an ABI that this host speaks", needs: "entry.found") {
      context throws(CaseEnd) in
      let abi = try context.described().pointee.abi
      return abi >= 1 && abi <= UInt32(SYMBOLON_ABI) ? .success : .failed("It says abi \(abi): write SYMBOLON_ABI.")
    },
    ConformanceCase("entry.fast", "It describes itself within 100 ms", needs: "entry.found") {
      context throws(CaseEnd) in
      let entry = try context.entry()
      let begin = MonotonicClock.nanoseconds
      _ = entry(UInt32(SYMBOLON_ABI))
      let milliseconds = Double(MonotonicClock.nanoseconds - begin) / 1e6
      return milliseconds <= 100 ? .success : .failed("It took \(Int(milliseconds)) ms: entry only describes.")
    },
    ConformanceCase("entry.sizes", "Every struct says its size, and a right one", needs: "entry.found") {
      context throws(CaseEnd) in
      try sizes(try context.described())
      return .success
    },
    ConformanceCase("entry.reserved", "Reserved fields are zero", needs: "entry.sizes") { context throws(CaseEnd) in
      let native = try context.described()
      guard native.pointee.reserved == 0 else { return .failed("symbolon_plugin.reserved is not 0.") }
      for index in 0..<Int(native.pointee.method_count) {
        guard let row = native.pointee.methods?[index] else { continue }
        let method = try method(row)
        if method.reserved != 0 { return .failed("symbolon_method.reserved of row \(index + 1) is not 0.") }
      }
      return .success
    },
  ]

  private static func copy(_ native: UnsafePointer<symbolon_plugin>) throws(CaseEnd) -> [UInt8] {
    let size = Int(native.pointee.struct_size)
    guard size >= 4, size <= BorderStruct.longest else { throw .fail("The description says struct_size \(size).") }
    return Array(UnsafeRawBufferPointer(start: native, count: size))
  }

  private static func method(_ row: UnsafePointer<symbolon_method>) throws(CaseEnd) -> symbolon_method {
    do throws(HostError) {
      return try BorderStruct.read(
        row, released: BorderStruct.Released.method, empty: symbolon_method(), "A row of the method table")
    } catch {
      throw .fail(error.message)
    }
  }

  private static func sizes(_ native: UnsafePointer<symbolon_plugin>) throws(CaseEnd) {
    do throws(HostError) {
      let plugin = try BorderStruct.read(
        native, released: BorderStruct.Released.plugin, empty: symbolon_plugin(), "The description")
      for index in 0..<min(Int(plugin.method_count), PluginDescription.Limit.methods) {
        guard let row = plugin.methods?[index] else { continue }
        _ = try BorderStruct.read(
          row, released: BorderStruct.Released.method, empty: symbolon_method(), "Row \(index + 1) of the method table")
      }
      for index in 0..<min(Int(plugin.import_count), PluginDescription.Limit.imports) {
        guard let row = plugin.imports?[index] else { continue }
        _ = try BorderStruct.read(
          row, released: BorderStruct.Released.import, empty: symbolon_import(), "Row \(index + 1) of the import table")
      }
    } catch {
      throw .fail(error.message)
    }
  }
}

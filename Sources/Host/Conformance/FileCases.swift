/// What can be seen of a library without opening it.
enum FileCases {
  /// Names that linkers put into every library.
  private static let linkerNames: Set<String> = [
    "_init", "_fini", "_edata", "_end", "__bss_start", "__end__", "_bss_end__", "__bss_end__", "__bss_start__",
  ]
  /// Libraries that every plugin may share: the system's, the compilers' and Swift's.
  private static let system = [
    "libc.so", "libm.so", "libgcc_s.so", "libstdc++.so", "libpthread.so", "libdl.so", "librt.so", "ld-linux",
    "libutil.so",
    "libresolv.so", "libatomic.so", "libgomp.so", "libffi.so", "libsodium.so", "libsqlite3.so", "libz.so", "libswift",
    "libFoundation", "lib_Foundation", "lib_foundation", "libBlocksRuntime", "libdispatch",
  ]

  #if arch(x86_64)
    private static let machine: UInt16 = 62
  #elseif arch(arm64)
    private static let machine: UInt16 = 183
  #endif

  static let all: [ConformanceCase] = [
    ConformanceCase("file.elf", "It is a shared library for this machine") { context throws(CaseEnd) in
      let file = try ElfFile(contentsOf: context.path)
      guard file.machine == machine else { return .failed("It is built for another machine (ELF \(file.machine)).") }
      return file.type == 3 ? .success : .failed("It is no shared library: link with -shared.")
    },
    ConformanceCase("file.exports", "It exports the entry and nothing else", needs: "file.elf") {
      context throws(CaseEnd) in
      let exported = Set(try ElfFile(contentsOf: context.path).exported).subtracting(linkerNames)
      guard exported.contains("symbolon_plugin_entry") else {
        return .failed("It exports no symbolon_plugin_entry: mark the function with SYMBOLON_EXPORT.")
      }
      let surplus = exported.subtracting(["symbolon_plugin_entry"]).sorted()
      guard !surplus.isEmpty else { return .success }
      return .failed(
        "It also exports \(surplus.prefix(3).joined(separator: ", "))\(surplus.count > 3 ? " and \(surplus.count - 3) more" : "")"
          + ": build with -fvisibility=hidden or a version script.")
    },
    ConformanceCase("file.stack", "It asks for no executable stack", needs: "file.elf") { context throws(CaseEnd) in
      switch try ElfFile(contentsOf: context.path).stackIsExecutable {
      case false: .success
      case true: .failed("It makes the stack of the whole process executable: link with -z noexecstack.")
      case nil: .warning("It does not say whether it needs an executable stack; some systems then assume it does.")
      }
    },
    ConformanceCase("file.text-relocations", "Its code is not written to", needs: "file.elf") {
      context throws(CaseEnd) in
      let file = try ElfFile(contentsOf: context.path)
      if file.hasTextRelocations { return .failed("It has text relocations: compile everything with -fPIC.") }
      return file.hasWritableCode ? .failed("A segment of it is writable and executable.") : .success
    },
    ConformanceCase("file.self-contained", "It brings what it needs", needs: "file.elf") { context throws(CaseEnd) in
      let file = try ElfFile(contentsOf: context.path)
      if let path = file.needed.first(where: { $0.contains("/") }) {
        return .failed("It needs \(path) by its path, which is another on the operator's machine.")
      }
      let foreign = file.needed.filter { name in !system.contains { name.hasPrefix($0) } }
      guard !foreign.isEmpty else { return .success }
      return .warning(
        "It needs \(foreign.joined(separator: ", ")): such a library is shared with the old version at a reload; link it"
          + " statically.")
    },
  ]
}

/// The manifest that is written into a library, and the signature beside it.
enum SealCases {
  private static func package(_ context: CaseContext) throws(CaseEnd) -> PluginPackage {
    do throws(HostError) { return try PluginPackage(at: context.path) } catch { throw .fail(error.message) }
  }

  static let all: [ConformanceCase] = [
    ConformanceCase("seal.intact", "The seal is whole and for this library", needs: "file.elf") {
      context throws(CaseEnd) in
      guard try package(context).manifest != nil else {
        return .skipped("It is not sealed: `symbolon plugin seal` writes what operators read before they load it.")
      }
      return .success
    },
    ConformanceCase("seal.equal", "The manifest says what the code says", needs: "description.valid") {
      context throws(CaseEnd) in
      guard let manifest = try package(context).manifest else { return .skipped("It is not sealed.") }
      let code = try context.library().description
      do throws(HostError) {
        try manifest.match(code)
        return .success
      } catch {
        return .failed(error.message)
      }
    },
    ConformanceCase("signature.form", "The signature beside it can be read", needs: "file.elf") {
      context throws(CaseEnd) in
      guard let bytes = try package(context).signature else { return .skipped("There is no .minisig file beside it.") }
      do throws(HostError) {
        _ = try MinisignSignature(parsing: bytes)
        return .success
      } catch {
        return .failed(error.message)
      }
    },
  ]
}

import PluginAPI

/// What a plugin says of itself.
enum DescriptionCases {
  static let all: [ConformanceCase] = form + tables

  private static func described(
    _ context: CaseContext, _ check: (PluginDescription) -> String?
  ) throws(CaseEnd) -> Verdict {
    check(try context.library().description).map { .failed($0) } ?? .success
  }

  private static let form: [ConformanceCase] = [
    ConformanceCase("description.valid", "The host takes the description", needs: "entry.sizes") {
      context throws(CaseEnd) in
      _ = try context.library()
      return .success
    },
    ConformanceCase("description.id", "The id is [a-z][a-z0-9_.-]*, at most 64 bytes", needs: "entry.sizes") {
      context throws(CaseEnd) in
      guard let pointer = try context.described().pointee.id, let id = String(validatingCString: pointer) else {
        return .failed("There is no id, or it is not UTF-8.")
      }
      let letters = Set("abcdefghijklmnopqrstuvwxyz".utf8)
      let others = letters.union("0123456789_.-".utf8)
      guard let first = id.utf8.first, letters.contains(first), id.utf8.count <= 64, id.utf8.allSatisfy(others.contains)
      else { return .failed("`\(id.prefix(80))` is no id.") }
      return .success
    },
    ConformanceCase("description.version", "The version has the form 1.2.3", needs: "description.valid") {
      context throws(CaseEnd) in
      let version = try context.library().description.version
      let core = version.prefix { $0 != "-" && $0 != "+" }
      let parts = core.split(separator: ".", omittingEmptySubsequences: false)
      guard parts.count == 3, parts.allSatisfy({ UInt32($0) != nil }) else {
        return .warning("`\(version)` is not of the form 1.2.3: operators compare versions.")
      }
      return .success
    },
    ConformanceCase("description.signatures", "Signatures are written in their canonical form", needs: "entry.sizes") {
      context throws(CaseEnd) in
      let native = try context.described().pointee
      for index in 0..<min(Int(native.method_count), PluginDescription.Limit.methods) {
        guard let pointer = native.methods?[index]?.pointee.signature, let text = String(validatingCString: pointer)
        else { return .failed("Row \(index + 1) has no signature, or it is not UTF-8.") }
        do throws(HostError) {
          let canonical = try Signature(parsing: text).description
          if canonical != text { return .warning("`\(text)` should read `\(canonical)`.") }
        } catch {
          return .failed(error.message)
        }
      }
      return .success
    },
    ConformanceCase("description.summaries", "Summaries are one line of at most 120 bytes", needs: "description.valid")
    {
      context throws(CaseEnd) in
      let description = try context.library().description
      for text in [description.summary] + description.methods.map(\.summary) {
        if text.utf8.contains(where: { $0 < 0x20 }) { return .failed("“\(text)” is more than one line.") }
        if text.utf8.count > 120 { return .warning("“\(text.prefix(60))…” is longer than 120 bytes.") }
      }
      return .success
    },
    ConformanceCase("description.defaults", "Defaults fit the types of their parameters", needs: "description.valid") {
      context throws(CaseEnd) in
      for method in try context.library().description.methods {
        for (name, value) in method.defaults {
          let type = method.signature.parameters.first { $0.name == name }?.type
          do throws(HostError) {
            let alone = try Signature(parsing: "f(\(name): \(type?.rawValue ?? ""))")
            _ = try Arguments(json: .object([name: value]), for: alone)
          } catch {
            return .failed("`\(method.signature.name)`: \(error.message)")
          }
        }
      }
      return .success
    },
    ConformanceCase("description.flags", "Flags do not contradict each other", needs: "description.valid") {
      context throws(CaseEnd) in
      for method in try context.library().description.methods {
        let flags = method.flags
        if flags & UInt32(SYMBOLON_TRANSITION) != 0, flags & UInt32(SYMBOLON_READS | SYMBOLON_STREAMS) != 0 {
          return .failed("`\(method.signature.name)` is a TRANSITION: it neither READS only nor STREAMS.")
        }
      }
      return .success
    },
  ]

  private static let tables: [ConformanceCase] = [
    ConformanceCase("description.names", "No method and no command is offered twice", needs: "entry.sizes") {
      context throws(CaseEnd) in
      let native = try context.described().pointee
      var names: Set<String> = []
      for index in 0..<min(Int(native.method_count), PluginDescription.Limit.methods) {
        guard let row = native.methods?[index],
          let text = row.pointee.signature.flatMap({ String(validatingCString: $0) })
        else { continue }
        let command = row.pointee.command.flatMap { String(validatingCString: $0) }
        for name in [String(text.prefix { $0 != "(" }), command].compactMap(\.self) where !names.insert(name).inserted {
          return .failed("`\(name)` is offered twice.")
        }
      }
      return .success
    },
    ConformanceCase("description.deadlines", "Deadlines are of use", needs: "description.valid") {
      context throws(CaseEnd) in
      for method in try context.library().description.methods where method.deadlineMs > 3_600_000 {
        return .warning(
          "`\(method.signature.name)` may take \(method.deadlineMs / 60_000) minutes: then 0, none, is clearer.")
      }
      return .success
    },
    ConformanceCase("description.imports", "It does not import from itself", needs: "description.valid") {
      context throws(CaseEnd) in
      try described(context) { description in
        description.imports.first { $0.plugin == description.id }.map { "It imports its own `\($0.signature.name)`." }
      }
    },
    ConformanceCase("extension.unknown", "Unknown extensions are NULL", needs: "entry.sizes") {
      context throws(CaseEnd) in
      guard let find = try context.described().pointee.extension else { return .skipped("It offers no extensions.") }
      for id in ["org.example.nothing/1", "symbolon.nothing/1", "", "/"] where find(id) != nil {
        return .failed("It answers for `\(id)`, which nobody knows.")
      }
      return .success
    },
    ConformanceCase("extension.exact", "Extension ids are compared to their end", needs: "entry.sizes") {
      context throws(CaseEnd) in
      guard let find = try context.described().pointee.extension else { return .skipped("It offers no extensions.") }
      for id in [SYMBOLON_ROUTES, SYMBOLON_PERMISSIONS, SYMBOLON_STATE] {
        for wrong in [id + "0", id + " ", id + "/1", String(id.dropLast()), id.uppercased()] where find(wrong) != nil {
          return .failed("It answers for `\(wrong)`: compare the whole id.")
        }
      }
      return .success
    },
    ConformanceCase("extension.stable", "An extension has one address", needs: "entry.sizes") {
      context throws(CaseEnd) in
      guard let find = try context.described().pointee.extension else { return .skipped("It offers no extensions.") }
      for id in [SYMBOLON_ROUTES, SYMBOLON_PERMISSIONS, SYMBOLON_STATE] where find(id) != find(id) {
        return .failed("`\(id)` has another address each time.")
      }
      return .success
    },
    ConformanceCase("routes.valid", "Routes are HTTP routes of its own methods", needs: "description.valid") {
      context throws(CaseEnd) in
      let description = try context.library().description
      guard !description.routes.isEmpty else { return .skipped("It declares no routes.") }
      var seen: Set<String> = []
      for route in description.routes {
        guard ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"].contains(route.verb),
          route.path.hasPrefix("/")
        else { return .failed("`\(route.verb) \(route.path)` is no route.") }
        guard seen.insert("\(route.verb) \(route.path)").inserted else {
          return .failed("`\(route.verb) \(route.path)` is declared twice.")
        }
        let method = description.methods.first { $0.signature.name == route.method }
        if let method, method.flags & UInt32(SYMBOLON_PUBLIC) == 0 {
          return .failed("The route \(route.path) leads to `\(route.method)`, which is not PUBLIC.")
        }
      }
      return .success
    },
    ConformanceCase("permissions.valid", "Permissions are written in their form", needs: "description.valid") {
      context throws(CaseEnd) in
      let description = try context.library().description
      return description.permissions.isEmpty ? .skipped("It asks for none.") : .success
    },
  ]
}

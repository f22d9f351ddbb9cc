import Glibc

/// `symbolon <layer> <method> [--argument value …]`, derived from the signatures of the running layers.
struct LayerCommand {
  private let words: [String]
  private let options: [(name: String, value: String?)]
  private let json: Bool
  private let help: Bool
  private let wallet: String
  private let config: String
  private let data: String

  /// Nil when the words are for a built-in command.
  init?(_ arguments: [String], builtIn: Set<String>) throws(HostError) {
    guard let first = arguments.first, !first.hasPrefix("-"), !builtIn.contains(first) else { return nil }
    var reader = OptionReader(arguments)
    config = reader.take("config") ?? NodeOptions.defaultConfiguration
    let folder = reader.take("data-folder")
    wallet = reader.take("wallet") ?? "node"
    json = reader.takeFlag("json")
    help = reader.takeFlag("help") || reader.takeFlag("h")
    words = reader.words
    options = reader.options
    data = try NodeOptions.dataFolder(config: config, data: folder)
  }

  func run() throws(HostError) {
    let client: ControlClient
    do throws(HostError) { client = try ControlClient(data: data) } catch {
      if error.code == "no_node", let layer = try OfflineLayer(words[0], config: config, data: data) {
        return try run(without: error, layer)
      }
      // Without a node nobody knows its layers, but a slip in a built-in command can be told.
      guard error.code == "no_node",
        let meant = Spelling.nearest(to: words.first ?? "", in: CommandWords.names(of: Symbolon.self))
      else { throw error }
      throw .notFound(
        "unknown_command",
        "There is no command `\(words.first ?? "")`. Did you mean `\(meant)`? No node runs, so there are no layers either."
      )
    }
    let catalog = try client.request("catalog")
    let methods = CatalogMethod.all(in: catalog)
    guard let (method, rest) = try find(methods) else { return printLayer(methods) }
    if help { return print(method.help) }
    if method.isOffline {
      guard let layer = try OfflineLayer(method.layer, config: config, data: data) else {
        throw .notFound(
          "no_library",
          "`symbolon \(method.commandLine)` runs in its own process, and the library of `\(method.layer)` is not found: "
            + "name the node's file with --config.")
      }
      return try run(layer, method, rest)
    }
    let arguments = try ArgumentParserBySignature(method, wallets: WalletStore(data: data)).parse(rest, options)
    if method.isTransition {
      try transact(client, methods, method, arguments)
    } else {
      try call(client, method, arguments)
    }
  }

  /// Runs what needs no node; `absence` says why there is none.
  private func run(without absence: HostError, _ layer: OfflineLayer) throws(HostError) {
    let known = layer.methods.map(\.commandLine)
    let found: (CatalogMethod, [String])?
    do throws(HostError) { found = try find(layer.methods) } catch {
      layer.end()
      throw HostError(
        Int(absence.status), absence.code,
        "\(absence.message) Without one there are: \(known.map { "`symbolon \($0)`" }.joined(separator: ", ")).")
    }
    guard let (method, rest) = found else {
      printLayer(layer.methods)
      print(Terminal.wrapped("No node runs: these need none, and its other methods are not there."))
      return layer.end()
    }
    if help {
      print(method.help)
      return layer.end()
    }
    try run(layer, method, rest)
  }

  /// Calls a method in this process and shows what it says.
  private func run(_ layer: OfflineLayer, _ method: CatalogMethod, _ rest: [String]) throws(HostError) {
    let view = OfflineView(json: json)
    do throws(HostError) {
      let arguments: [String: JSONValue]
      if let members = MemberArguments(method) {
        arguments = try members.parse(rest, options)
      } else {
        arguments = try ArgumentParserBySignature(method, wallets: WalletStore(data: data)).parse(rest, options)
      }
      try layer.call(method, arguments) { message in
        // A method that gives one message gives all its results by name.
        let only = method.signature.streams ? nil : message.object?.count == 1 ? message.object?.values.first : nil
        return view.show(only ?? message)
      }
    } catch {
      _ = view.finish()
      layer.end()
      throw error
    }
    let isGood = view.finish()
    layer.end()
    if !isGood { Glibc.exit(1) }
  }

  /// The method that the words name, and the words that are left; nil when they name only a layer.
  private func find(_ methods: [CatalogMethod]) throws(HostError) -> (CatalogMethod, [String])? {
    let plain = words.map { $0.replacing("-", with: "_") }
    if words.count >= 2 {
      if let method = methods.first(where: { $0.command == "\(words[0]) \(words[1])" }) {
        return (method, Array(words.dropFirst(2)))
      }
      if let method = methods.first(where: { $0.layer == words[0] && $0.signature.name == plain[1] }) {
        return (method, Array(words.dropFirst(2)))
      }
    }
    let groups = Set(methods.map(\.layer)).union(
      methods.compactMap { $0.command?.split(separator: " ").first.map(String.init) })
    guard groups.contains(words[0]) else {
      let known = groups.sorted() + CommandWords.names(of: Symbolon.self)
      let hint = Spelling.nearest(to: words[0], in: known).map { " Did you mean `\($0)`?" } ?? ""
      throw .notFound(
        "unknown_command",
        "There is no command or layer `\(words[0])`.\(hint) `symbolon --help` lists the commands, `symbolon plugin list` the layers."
      )
    }
    guard words.count >= 2 else { return nil }
    let known =
      methods.filter { $0.layer == words[0] }.map(\.signature.name)
      + methods.compactMap { $0.command?.split(separator: " ") }.filter { $0[0] == words[0] }.map { String($0[1]) }
    let hint = Spelling.nearest(to: plain[1], in: known).map { " Did you mean `\($0)`?" } ?? ""
    throw .notFound(
      "unknown_method", "`\(words[0])` has no method `\(words[1])`.\(hint) `symbolon \(words[0])` lists them.")
  }

  private func printLayer(_ methods: [CatalogMethod]) {
    let rows = methods.filter { $0.layer == words[0] || $0.command?.hasPrefix(words[0] + " ") == true }.map {
      [$0.commandLine, $0.summary]
    }
    print(Terminal.table(["COMMAND", "WHAT"], rows))
    print("\n" + Terminal.wrapped("`symbolon \(words[0]) <method> --help` shows the arguments."))
  }

  private func call(
    _ client: ControlClient, _ method: CatalogMethod, _ arguments: [String: JSONValue]
  ) throws(HostError) {
    let request: [String: JSONValue] = ["method": .string(method.name), "arguments": .object(arguments)]
    _ = try client.request("invoke", request) { message in show(message, of: method) }
  }

  private func show(_ message: JSONValue, of method: CatalogMethod) {
    if method.signature.streams {
      print(json ? message.text : message.string ?? message.text)
      fflush(nil)
    } else if json {
      print(message.text)
    } else if method.signature.results.count == 1, let only = message.object?.values.first {
      print(Terminal.pretty(only))
    } else if message.object?.isEmpty == false {
      print(Terminal.pretty(message))
    } else {
      print("Done.")
    }
  }

  // MARK: Transactions

  /// Prepares the body, checks that it is the call that was asked for, signs and submits it.
  private func transact(
    _ client: ControlClient, _ methods: [CatalogMethod], _ method: CatalogMethod,
    _ arguments: [String: JSONValue]
  ) throws(HostError) {
    func role(_ signature: String) throws(HostError) -> String {
      guard let found = methods.first(where: { $0.signature.description == signature }) else {
        throw .unavailable("no_ledger", "No running layer takes transactions (\(signature)): enable the ledger.")
      }
      return found.name
    }
    let prepare = try role("prepare(method: text, arguments: json, sender: bytes) -> (body: bytes)")
    let submit = try role("submit(transaction: bytes) -> (receipt: json)")
    let key = try WalletStore(data: data).open(wallet)
    let prepared = try client.invoke(
      prepare,
      ["method": .string(method.name), "arguments": .object(arguments), "sender": .string(key.publicKey.hexadecimal)])
    guard let body = prepared[key: "body"]?.string.flatMap([UInt8].init(hexadecimal:)) else {
      throw .system("no_body", "The ledger prepared no transaction.")
    }
    let canonical = try Arguments(json: .object(arguments), for: method.signature, defaults: method.defaults)
      .canonical(for: method.signature)
    guard body.ends(with: Self.callBytes(method.name, canonical)) else {
      throw .refused("other_call", "The prepared transaction is not the call that was asked for: nothing was signed.")
    }
    let receipt = try client.invoke(submit, ["transaction": .string((body + key.sign(body)).hexadecimal)])
    let view = Self.withResults(receipt[key: "receipt"] ?? receipt, of: method)
    print(json ? view.text : Terminal.pretty(view))
    guard view[key: "status"]?.unsigned ?? 0 == 0 else {
      throw HostError(
        Int(view[key: "status"]?.unsigned ?? 2), view[key: "code"]?.string ?? "failed",
        view[key: "message"]?.string ?? "The transaction failed.")
    }
  }

  /// The receipt with its canonical result bytes spelled out by name.
  private static func withResults(_ receipt: JSONValue, of method: CatalogMethod) -> JSONValue {
    guard case .object(var members) = receipt, let text = members["result"]?.string,
      let bytes = [UInt8](hexadecimal: text), let results = method.signature.results(canonical: bytes)
    else { return receipt }
    members["results"] = results
    return .object(members)
  }

  /// How every transaction body ends: u16 length and method name, u32 length and canonical arguments.
  private static func callBytes(_ method: String, _ arguments: [UInt8]) -> [UInt8] {
    let name = Array(method.utf8)
    return [UInt8(name.count >> 8), UInt8(truncatingIfNeeded: name.count)] + name
      + (0..<4).reversed().map { UInt8(truncatingIfNeeded: arguments.count >> (8 * $0)) } + arguments
  }
}

extension [UInt8] {
  fileprivate func ends(with suffix: [UInt8]) -> Bool { self.suffix(suffix.count).elementsEqual(suffix) }
}

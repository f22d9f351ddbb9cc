import ArgumentParser

/// `symbolon wallet …`: the keys that sign transactions.
struct WalletCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "wallet", abstract: "Make and list the keys that sign transactions.",
    subcommands: [Create.self, List.self], defaultSubcommand: List.self)

  /// The command `symbolon wallet create NAME`.
  struct Create: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "create", abstract: "Make a new key.")

    @Argument(help: "The wallet's name, for example alice.")
    var name: String

    @OptionGroup var node: NodeOptions

    func run() {
      Terminal.run(json: node.json) { () throws(HostError) in
        let account = try WalletStore(data: try node.dataFolder()).create(name).publicKey.hexadecimal
        print(
          node.json
            ? JSONValue.object(["name": .string(name), "account": .string(account)]).text
            : "Made the wallet `\(name)`, account \(account).")
      }
    }
  }

  /// The command `symbolon wallet list`.
  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List the wallets.")

    @OptionGroup var node: NodeOptions

    func run() {
      Terminal.run(json: node.json) { () throws(HostError) in
        let wallets = try WalletStore(data: try node.dataFolder()).list()
        if node.json {
          let rows = wallets.map { JSONValue.object(["name": .string($0.name), "account": .string($0.account)]) }
          print(JSONValue.array(rows).text)
        } else {
          print(Terminal.table(["NAME", "ACCOUNT"], wallets.map { [$0.name, $0.account] }))
        }
      }
    }
  }
}

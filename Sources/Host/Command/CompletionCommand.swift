import ArgumentParser

/// `symbolon completion SHELL`: a script that completes commands, layers, methods, their options and plugin ids.
struct Completion: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "completion", abstract: "Print a completion script for a shell.",
    discussion: """
      bash:  symbolon completion bash > ~/.local/share/bash-completion/completions/symbolon
      zsh:   symbolon completion zsh > "${fpath[1]}/_symbolon"
      fish:  symbolon completion fish > ~/.config/fish/completions/symbolon.fish
      """)

  @Argument(help: "bash, zsh or fish.") var shell: String
  @Flag(help: "Print errors as JSON.") var json = false

  func run() {
    Terminal.run(json: json) { () throws(HostError) in
      guard let kind = CompletionShell(rawValue: shell) else {
        let known = CompletionShell.allCases.map(\.rawValue)
        let hint = Spelling.nearest(to: shell, in: known).map { " Did you mean `\($0)`?" } ?? ""
        throw .invalid("unknown_shell", "`\(shell)` is none of \(known.joined(separator: ", ")).\(hint)")
      }
      var script = Symbolon.completionScript(for: kind)
      if shell == "zsh", let start = script.firstRange(of: #"\nif [[ "${funcstack[1]}" = _symbolon ]]; then"#) {
        // What begins there would complete without the part that follows.
        script = String(script[..<start.lowerBound])
      }
      print(script)
      print(Self.dynamicPart[shell] ?? "")
    }
  }

  /// What the generated script cannot know, because it depends on the running node, is asked of the program itself.
  private static let dynamicPart = [
    "bash": """

    _symbolon_running() {
      _symbolon "$@"
      local cur="${COMP_WORDS[COMP_CWORD]}" words
      words="$("${COMP_WORDS[0]}" \(CompleteWords.name) "${COMP_WORDS[@]:1:COMP_CWORD-1}" 2>/dev/null)"
      COMPREPLY+=($(compgen -W "$words" -- "$cur"))
    }
    complete -o filenames -F _symbolon_running symbolon
    """,
    "zsh": """

    _symbolon_running() {
      # What follows changes both.
      local -a typed=("${words[@]}") found
      local -i at=CURRENT ret=1
      _symbolon "$@" && ret=0
      found=(${(f)"$("${typed[1]}" \(CompleteWords.name) "${(@)typed[2,at-1]}" 2>/dev/null)"})
      (( ${#found} )) && compadd -a found && ret=0
      return ret
    }
    compdef _symbolon_running symbolon
    # Read by the first completion, as a function of its own name.
    if [[ "${funcstack[1]}" = _symbolon ]]; then _symbolon_running "$@"; fi
    """,
    "fish": """

    complete -c symbolon -f -a '(symbolon \(CompleteWords.name) (commandline -opc)[2..-1] 2>/dev/null)'
    """,
  ]
}

/// `symbolon complete-words WORD…`: what may follow these words, one a line; without a node, commands that need none.
struct CompleteWords: ParsableCommand {
  static let name = "complete-words"
  static let configuration = CommandConfiguration(
    commandName: name, abstract: "Print what may follow.", shouldDisplay: false)

  @Argument(parsing: .captureForPassthrough) var words: [String] = []

  func run() {
    for word in (try? candidates()) ?? [] { print(word) }
  }

  private func candidates() throws(HostError) -> [String] {
    let plain = words.filter { !$0.hasPrefix("-") }
    let options = try NodeOptions.parse(from: words)
    if plain.first == "plugin" {
      let known = Set(PluginCommand.configuration.subcommands.map { $0._commandName })
      guard plain.count == 2, known.contains(plain[1]), plain[1] != "list" else { return [] }
      return try Self.pluginIDs(options)
    }
    if let first = plain.first, Symbolon.builtInNames.contains(first) { return [] }
    let offline = plain.first.map { OfflineLayer.sealedMethods($0, config: options.config) } ?? []
    let methods = offline + CatalogMethod.all(in: try catalog(options, isNeeded: offline.isEmpty))
    switch plain.count {
    case 0:
      let commands = methods.compactMap { $0.command?.split(separator: " ").first.map(String.init) }
      return Set(methods.map(\.layer) + commands).sorted()
    case 1:
      let commands = methods.compactMap { $0.command?.split(separator: " ").map(String.init) }
      return Set(
        methods.filter { $0.layer == plain[0] }.map(\.signature.name)
          + commands.filter { $0.count == 2 && $0[0] == plain[0] }.map { $0[1] }
      ).sorted()
    default:
      let method = methods.first {
        ($0.layer == plain[0] && $0.signature.name == plain[1].replacing("-", with: "_"))
          || $0.command == "\(plain[0]) \(plain[1])"
      }
      let given = Set(words)
      let names =
        method?.members.flatMap { $0.isEmpty ? nil : $0.map(\.name) } ?? method?.signature.parameters.map(\.name)
      return (names ?? []).map { "--" + $0.replacing("_", with: "-") }
        .filter { !given.contains($0) } + ["--json", "--help"].filter { !given.contains($0) }
    }
  }

  /// What the running node offers; nothing when none runs and there is something else to say.
  private func catalog(_ options: NodeOptions, isNeeded: Bool) throws(HostError) -> JSONValue {
    do throws(HostError) { return try options.client().request("catalog") } catch {
      guard isNeeded else { return .object([:]) }
      throw error
    }
  }

  /// Of the running node, or else of the file.
  private static func pluginIDs(_ options: NodeOptions) throws(HostError) -> [String] {
    if let rows = try? options.client().request("plugins").array { return rows.compactMap { $0[key: "id"]?.string } }
    return try Configuration(contentsOf: options.config).plugins.map(\.id)
  }
}

extension NodeOptions {
  /// `--config` and `--data` of a line that is still being typed.
  fileprivate static func parse(from words: [String]) throws(HostError) -> NodeOptions {
    var options = NodeOptions()
    var reader = OptionReader(words)
    options.config = reader.take("config") ?? NodeOptions.defaultConfiguration
    options.data = reader.take("data")
    options.json = false
    return options
  }
}

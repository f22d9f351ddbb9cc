import ArgumentParser

/// What is wrong with the words of a command line before any command runs.
enum CommandWords {
  /// A word where a subcommand belongs, and none has that name; nil when all is well.
  static func unknownSubcommand(_ words: [String], of root: any ParsableCommand.Type) -> HostError? {
    var command: any ParsableCommand.Type = root
    var path = ["symbolon"]
    for word in words {
      let known = command.configuration.subcommands
      guard !known.isEmpty, !word.hasPrefix("-"), word != "help" else { return nil }
      if let next = known.first(where: { $0._commandName == word }) {
        command = next
        path.append(word)
        continue
      }
      let names = known.filter { $0.configuration.shouldDisplay }.map { $0._commandName }
      let hint = Spelling.nearest(to: word, in: names).map { " Did you mean `\($0)`?" } ?? ""
      return .invalid(
        "unknown_subcommand",
        "`\(path.joined(separator: " "))` has no subcommand `\(word)`.\(hint) It has: \(names.joined(separator: ", "))."
      )
    }
    return nil
  }

  /// The built-in commands that are shown in the help.
  static func names(of root: any ParsableCommand.Type) -> [String] {
    root.configuration.subcommands.filter { $0.configuration.shouldDisplay }.map { $0._commandName }
  }
}

/// What the plugin does, without a word of the contract.
enum Greeting {
  /// A greeting of one line, or nil when the name is empty or long.
  static func text(for name: String) -> String? {
    (1...64).contains(name.utf8.count) ? "Hello, \(name)!" : nil
  }
}

/// Reads strings of a grammar byte by byte, and remembers what it has met: a deterministic automaton, made as it is
/// used.
///
/// A state is every place of the program that reading may be at, each with the calls to come back from. For one thread.
final class GrammarAutomaton {
  /// A place, and the number of the stack of places to come back to.
  fileprivate struct Thread: Hashable {
    let place: Int32
    let stack: Int32
  }

  fileprivate struct State {
    /// Places at which a byte is read.
    var threads: [Thread]
    /// Whether what was read is a string of the form.
    var isComplete: Bool
    /// Whether a rule ended above a stack that is not known.
    var hasEscaped: Bool
    /// By byte: the next state, `dead`, or `unmet`; empty before the first.
    var next: [Int32] = []
  }

  /// No string goes on like this.
  static let dead: Int32 = -1
  private static let unmet: Int32 = -2
  /// Nothing to come back to: the end of the form; and a stack of which nothing is known.
  private static let (empty, unknown): (Int32, Int32) = (-1, -2)
  /// The most places at a time, states, and different stacks.
  private static let (mostThreads, mostStates, mostStacks) = (256, 16_384, 1 << 18)

  let grammar: Grammar
  private var states: [State] = []
  private var numbers: [State.Key: Int32] = [:]
  private var stacks: [Thread] = []
  private var stackNumbers: [Thread: Int32] = [:]

  init(_ grammar: Grammar) { self.grammar = grammar }

  /// The beginning of the form.
  func start() throws(GrammarFault) -> Int32 {
    try follow([Thread(place: grammar.entry(of: grammar.start), stack: Self.empty)])
  }

  /// A place of the program, wherever it was called from.
  func context(of place: Int32) throws(GrammarFault) -> Int32 {
    try follow([Thread(place: place, stack: Self.unknown)])
  }

  /// The state after one more byte; `dead` when it may not come.
  func next(_ state: Int32, _ byte: UInt8) throws(GrammarFault) -> Int32 {
    guard state >= 0 else { return Self.dead }
    if states[Int(state)].next.isEmpty { states[Int(state)].next = [Int32](repeating: Self.unmet, count: 256) }
    let known = states[Int(state)].next[Int(byte)]
    if known != Self.unmet { return known }
    var places: [Thread] = []
    for thread in states[Int(state)].threads {
      guard case .read(let set, let place) = grammar.steps[Int(thread.place)], set.contains(byte) else { continue }
      places.append(Thread(place: place, stack: thread.stack))
    }
    let found = places.isEmpty ? Self.dead : try follow(places)
    states[Int(state)].next[Int(byte)] = found
    return found
  }

  /// The state after some bytes.
  func next(_ state: Int32, _ bytes: some Sequence<UInt8>) throws(GrammarFault) -> Int32 {
    var state = state
    for byte in bytes where state != Self.dead { state = try next(state, byte) }
    return state
  }

  func isComplete(_ state: Int32) -> Bool { state >= 0 && states[Int(state)].isComplete }

  func hasEscaped(_ state: Int32) -> Bool { state >= 0 && states[Int(state)].hasEscaped }

  /// The places at which a state reads a byte.
  func places(_ state: Int32) -> [Int32] { state < 0 ? [] : states[Int(state)].threads.map(\.place) }

  private func push(_ place: Int32, on stack: Int32) -> Int32 {
    let top = Thread(place: place, stack: stack)
    if let known = stackNumbers[top] { return known }
    stacks.append(top)
    stackNumbers[top] = Int32(stacks.count - 1)
    return Int32(stacks.count - 1)
  }

  /// The state of some places, gone on from to those at which a byte is read.
  private func follow(_ places: [Thread]) throws(GrammarFault) -> Int32 {
    var seen: [Thread] = []
    var state = State(threads: [], isComplete: false, hasEscaped: false)
    func add(_ thread: Thread) { if !seen.contains(thread) { seen.append(thread) } }
    for place in places { add(place) }
    var index = 0
    while index < seen.count {
      let thread = seen[index]
      index += 1
      switch grammar.steps[Int(thread.place)] {
      case .read: state.threads.append(thread)
      case .either(let places): for place in places { add(Thread(place: place, stack: thread.stack)) }
      case .call(let rule, let next):
        // A call at the end of a rule comes back to where the rule does.
        let stack = grammar.isEnd(next) ? thread.stack : push(next, on: thread.stack)
        add(Thread(place: grammar.entry(of: rule), stack: stack))
      case .end:
        switch thread.stack {
        case Self.empty: state.isComplete = true
        case Self.unknown: state.hasEscaped = true
        default: add(stacks[Int(thread.stack)])
        }
      }
      guard seen.count <= 16 * Self.mostThreads, state.threads.count <= Self.mostThreads,
        stacks.count <= Self.mostStacks
      else { throw GrammarFault("leaves too many ways open: make its alternatives fewer, or easier to tell apart") }
    }
    return try number(of: state)
  }

  private func number(of state: State) throws(GrammarFault) -> Int32 {
    if let known = numbers[state.key] { return known }
    guard states.count < Self.mostStates else { throw GrammarFault("was nested too deep by the answer") }
    states.append(state)
    numbers[state.key] = Int32(states.count - 1)
    return Int32(states.count - 1)
  }
}

extension GrammarAutomaton.State {
  fileprivate struct Key: Hashable {
    let threads: [GrammarAutomaton.Thread]
    let isComplete: Bool
    let hasEscaped: Bool
  }

  fileprivate var key: Key { Key(threads: threads, isComplete: isComplete, hasEscaped: hasEscaped) }
}

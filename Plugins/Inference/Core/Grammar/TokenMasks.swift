import Synchronization

/// Which tokens may come at the places of a grammar, kept for all answers that have it.
///
/// What can follow a place is mostly decided inside the rule that the place is in, whatever called it: that part is
/// found once for each place. The few tokens that reach beyond the rule's end are tried in the answer's own state.
package final class TokenMasks: Sendable {
  /// The tokens of one place.
  struct Entry: Sendable {
    /// Those that may come, a bit each.
    var allowed: [UInt64]
    /// Places in the table of those that may come or not.
    var open: [Int32] = []
  }

  private struct Contents {
    var entries: [Int32: Entry] = [:]
    var automaton: UncheckedValue<GrammarAutomaton>
  }

  let grammar: Grammar
  let table: TokenTable
  private let contents: Mutex<Contents>
  /// How many places are kept: a mask of a large vocabulary takes 32 KiB.
  private static let mostEntries = 1024

  package init(_ grammar: Grammar, _ table: TokenTable) {
    self.grammar = grammar
    self.table = table
    contents = Mutex(Contents(automaton: UncheckedValue(GrammarAutomaton(grammar))))
  }

  /// The tokens of a place.
  func entry(_ place: Int32) throws(GrammarFault) -> Entry {
    try contents.withLock { contents -> Result<Entry, GrammarFault> in
      if let known = contents.entries[place] { return .success(known) }
      return Result { () throws(GrammarFault) in
        let entry = try Self.walk(contents.automaton.value, table, from: place)
        if contents.entries.count >= Self.mostEntries { contents.entries = [:] }
        contents.entries[place] = entry
        return entry
      }
    }.get()
  }

  /// Reads the tokens in order, each from where it leaves the one before.
  private static func walk(
    _ automaton: GrammarAutomaton, _ table: TokenTable, from place: Int32
  ) throws(GrammarFault) -> Entry {
    var entry = Entry(allowed: [UInt64](repeating: 0, count: table.maskWords))
    // The states after 0, 1, … bytes of the last token, and whether a rule may have ended by then.
    var states = [try automaton.context(of: place)]
    var escaped = [automaton.hasEscaped(states[0])]
    for index in table.tokens.indices {
      let piece = table.piece(index)
      // A token that has in common with the last what that one could not be read beyond cannot be read either.
      var depth = min(Int(table.common[index]), states.count - 1)
      states.removeSubrange((depth + 1)...)
      escaped.removeSubrange((depth + 1)...)
      while depth < piece.count, states[depth] != GrammarAutomaton.dead {
        let next = try automaton.next(states[depth], piece[piece.startIndex + depth])
        depth += 1
        states.append(next)
        escaped.append(escaped[depth - 1] || automaton.hasEscaped(next))
      }
      if depth == piece.count, states[depth] != GrammarAutomaton.dead {
        let token = Int(table.tokens[index])
        entry.allowed[token / 64] |= 1 << UInt64(token % 64)
      } else if escaped[min(depth, piece.count) - 1] {
        entry.open.append(Int32(index))
      }
    }
    return entry
  }
}

/// The tokens that may come next in one answer of a form.
///
/// `@unchecked Sendable`: belongs to the answer's writer, which one thread at a time uses.
final class FormReader: @unchecked Sendable {
  private let masks: TokenMasks
  private let automaton: GrammarAutomaton
  private var state: Int32
  /// Masks of states that this answer met.
  private var known: [Int32: [UInt64]] = [:]

  init(_ masks: TokenMasks) throws(GrammarFault) {
    self.masks = masks
    automaton = GrammarAutomaton(masks.grammar)
    state = try automaton.start()
  }

  /// A bit for each token that may come now; those that end the answer where what was read is whole.
  func allowed() throws(GrammarFault) -> [UInt64] {
    if let mask = known[state] { return mask }
    let table = masks.table
    var mask = [UInt64](repeating: 0, count: table.maskWords)
    var open: [Int32] = []
    for place in automaton.places(state) {
      let entry = try masks.entry(place)
      for index in mask.indices { mask[index] |= entry.allowed[index] }
      open += entry.open
    }
    for index in open {
      let token = Int(table.tokens[Int(index)])
      guard mask[token / 64] >> UInt64(token % 64) & 1 == 0,
        try automaton.next(state, table.piece(Int(index))) != GrammarAutomaton.dead
      else { continue }
      mask[token / 64] |= 1 << UInt64(token % 64)
    }
    if automaton.isComplete(state) { for end in table.ends { mask[Int(end) / 64] |= 1 << UInt64(Int(end) % 64) } }
    if known.count < 64 { known[state] = mask }
    return mask
  }

  /// Takes note of the bytes of a token that was allowed.
  func read(_ bytes: [UInt8]) throws(GrammarFault) { state = try automaton.next(state, bytes) }

  /// Whether what was read is whole and nothing may follow.
  var isAtEnd: Bool { automaton.isComplete(state) && automaton.places(state).isEmpty }
}

/// What the scheduler has done since it started.
package struct ServingCounters: Equatable, Sendable {
  package internal(set) var steps = 0
  /// Tokens computed, guesses included.
  package internal(set) var columns = 0
  /// Times that a sequence gave its pages back for an older one.
  package internal(set) var preemptions = 0
  /// Tokens guessed and verified.
  package internal(set) var guesses = 0
  /// Guesses that were right.
  package internal(set) var rightGuesses = 0
  /// Positions that were not computed because the prefix cache held them.
  package internal(set) var cachedPositions = 0
  /// Bytes of keys and values, unused pages included.
  package internal(set) var pageBytes = 0
  /// Sequences in the making after the last step.
  package internal(set) var active = 0
}

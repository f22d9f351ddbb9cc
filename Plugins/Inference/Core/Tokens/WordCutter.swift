/// A text with the classes of its characters, and the stages of a `PreTokenizer` on it.
struct WordCutter {
  private let scalars: [Unicode.Scalar]
  private let classes: [CharacterClass]

  init(_ scalars: [Unicode.Scalar]) {
    self.scalars = scalars
    classes = scalars.map { CharacterClass($0) }
  }

  /// Appends the words of a piece.
  func cut(_ piece: Range<Int>, by stage: PreTokenizer.Stage, into words: inout [Range<Int>]) {
    switch stage {
    case .gpt2: cut(piece, into: &words) { gpt2Word(from: $0, to: piece.upperBound) }
    case .llama(let digits):
      cut(piece, into: &words) { llamaWord(from: $0, to: piece.upperBound, digits: digits) }
    case .cased(let digits, let contractions):
      cut(piece, into: &words) { casedWord(from: $0, to: piece.upperBound, digits: digits, contractions: contractions) }
    case .each(let set): take(piece, into: &words) { start in contains(set, start) ? start + 1 : nil }
    case .runs(let set): take(piece, into: &words) { start in endOfRun(of: set, from: start, to: piece.upperBound) }
    case .spacedRuns(let set):
      take(piece, into: &words) { start in
        let first = classes[start] == .space ? start + 1 : start
        return endOfRun(of: set, from: first, to: piece.upperBound)
          ?? endOfRun(of: set, from: start, to: piece.upperBound)
      }
    case .triples:
      take(piece, into: &words) { start in
        let end = start + 3
        return end <= piece.upperBound && scalars[start..<end].allSatisfy { ("0"..."9").contains($0) } ? end : nil
      }
    }
  }

  /// Cuts all of a piece: `end` says where the word ends that begins here.
  private func cut(_ piece: Range<Int>, into words: inout [Range<Int>], end: (Int) -> Int) {
    var start = piece.lowerBound
    while start < piece.upperBound {
      let next = max(start + 1, end(start))
      words.append(start..<next)
      start = next
    }
  }

  /// Takes out what matches, and leaves what lies between in one piece each.
  ///
  /// `end` says where the match ends that begins here, if one does.
  private func take(_ piece: Range<Int>, into words: inout [Range<Int>], end: (Int) -> Int?) {
    var rest = piece.lowerBound
    var start = rest
    while start < piece.upperBound {
      guard let next = end(start) else {
        start += 1
        continue
      }
      if rest < start { words.append(rest..<start) }
      words.append(start..<next)
      start = next
      rest = next
    }
    if rest < piece.upperBound { words.append(rest..<piece.upperBound) }
  }

  private func endOfRun(of set: PreTokenizer.CharacterSet, from start: Int, to end: Int) -> Int? {
    var position = start
    while position < end, contains(set, position) { position += 1 }
    return position > start ? position : nil
  }

  private func contains(_ set: PreTokenizer.CharacterSet, _ index: Int) -> Bool {
    let scalar = scalars[index]
    switch set {
    case .letters: return classes[index] == .letter
    case .numbers: return classes[index] == .number
    case .newlines: return scalar == "\r" || scalar == "\n"
    case .punctuation: return classes[index] == .punctuation
    case .punctuationAndOperators:
      return classes[index] == .punctuation || "$+<=>^~|".unicodeScalars.contains(scalar)
    case .falconPunctuation: return classes[index] == .punctuation || "$+<=>^~|`".unicodeScalars.contains(scalar)
    case .cjk:
      // llama.cpp sees a vertical tab in place of every space beyond ASCII.
      return classes[index] != .space
        && (("\u{800}"..."\u{9fa5}").contains(scalar) || ("\u{ac00}"..."\u{d7ff}").contains(scalar))
    }
  }

  private func kind(_ index: Int, _ end: Int) -> CharacterClass? { index < end ? classes[index] : nil }

  /// Neither space nor letter nor number.
  private func isOther(_ index: Int, _ end: Int) -> Bool {
    index < end && (classes[index] == .other || classes[index] == .punctuation)
  }

  private func isNewline(_ index: Int, _ end: Int) -> Bool {
    index < end && (scalars[index] == "\r" || scalars[index] == "\n")
  }

  private func run(of kind: CharacterClass, from start: Int, to end: Int) -> Int {
    var position = start
    while position < end, classes[position] == kind { position += 1 }
    return position
  }

  private func gpt2Word(from start: Int, to end: Int) -> Int {
    if let length = contraction(start, end, anyCase: false) { return start + length }
    let first = scalars[start] == " " ? start + 1 : start
    switch kind(first, end) {
    case .letter: return run(of: .letter, from: first, to: end)
    case .number: return run(of: .number, from: first, to: end)
    case .other, .punctuation: return endOfOthers(from: first, to: end)
    case .space, nil: return endOfSpaces(from: start, to: end)
    }
  }

  private func llamaWord(from start: Int, to end: Int, digits: Int) -> Int {
    if let length = contraction(start, end, anyCase: true) { return start + length }
    if !isNewline(start, end), classes[start] != .number,
      classes[start] == .letter || kind(start + 1, end) == .letter
    {
      return run(of: .letter, from: start + 1, to: end)
    }
    return endOfRest(from: start, to: end, digits: digits, slashes: false)
  }

  /// The alternatives after words: numbers, punctuation with what ends its line, and spaces.
  private func endOfRest(from start: Int, to end: Int, digits: Int, slashes: Bool) -> Int {
    if classes[start] == .number { return min(run(of: .number, from: start, to: end), start + digits) }
    let first = scalars[start] == " " ? start + 1 : start
    if isOther(first, end) {
      var position = endOfOthers(from: first, to: end)
      while isNewline(position, end) || (slashes && position < end && scalars[position] == "/") { position += 1 }
      return position
    }
    let spaces = run(of: .space, from: start, to: end)
    if let newline = (start..<spaces).last(where: { isNewline($0, end) }) { return newline + 1 }
    return endOfSpaces(from: start, to: end)
  }

  private func endOfOthers(from start: Int, to end: Int) -> Int {
    var position = start
    while isOther(position, end) { position += 1 }
    return position
  }

  /// `\s+(?!\S)|\s+`: the last space of a run belongs to the word that follows.
  private func endOfSpaces(from start: Int, to end: Int) -> Int {
    let spaces = run(of: .space, from: start, to: end)
    return spaces < end && spaces - start > 1 ? spaces - 1 : spaces
  }

  /// `[^\r\n\p{L}\p{N}]?U*L+|[^\r\n\p{L}\p{N}]?U+L*`, where U are letters but a-z and L letters but A-Z.
  private func casedWord(from start: Int, to end: Int, digits: Int, contractions: Bool) -> Int {
    let takesFirst = !isNewline(start, end) && classes[start] != .letter && classes[start] != .number
    let first = takesFirst ? start + 1 : start
    guard kind(first, end) == .letter else {
      return endOfRest(from: start, to: end, digits: digits, slashes: true)
    }
    var upper = first
    while kind(upper, end) == .letter, !("a"..."z").contains(scalars[upper]) { upper += 1 }
    func isLower(_ index: Int) -> Bool { kind(index, end) == .letter && !("A"..."Z").contains(scalars[index]) }
    var word = upper
    while isLower(word) { word += 1 }
    // Without a small letter behind the capitals, the last that is also small ends the word.
    if word == upper, let last = (first..<upper).last(where: isLower) { word = last + 1 }
    return word + (contractions ? contraction(word, end, anyCase: true) ?? 0 : 0)
  }

  /// The length of an English contraction that begins here.
  private func contraction(_ start: Int, _ end: Int, anyCase: Bool) -> Int? {
    guard start + 1 < end, scalars[start] == "'" else { return nil }
    func letter(_ index: Int) -> Unicode.Scalar? {
      guard index < end else { return nil }
      let value = scalars[index].value
      return anyCase && (0x41...0x5a).contains(value) ? Unicode.Scalar(value + 32) : scalars[index]
    }
    switch (letter(start + 1), letter(start + 2)) {
    case ("s", _), ("t", _), ("m", _), ("d", _): return 2
    case ("r", "e"), ("v", "e"), ("l", "l"): return 3
    default: return nil
    }
  }
}

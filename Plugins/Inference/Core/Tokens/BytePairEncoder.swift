/// Byte-pair encoding: joins neighbours by the rank of their merge, lowest first, leftmost first among equals.
struct BytePairEncoder {
  /// What a pair of tokens joins to.
  private struct Merge {
    let rank: Int32
    let result: Int32
  }

  /// A pair that may be joined; stale once one of its halves has changed.
  private struct Candidate {
    let rank: Int32
    let left: Int32
    let right: Int32
    let leftToken: Int32
    let rightToken: Int32

    /// Order of joining.
    static func < (a: Candidate, b: Candidate) -> Bool { (a.rank, a.left) < (b.rank, b.left) }
  }

  private var merges: [UInt64: Merge]
  /// The token of each byte, -1 if the vocabulary lacks it.
  let byteTokens: [Int32]

  /// The encoder of a vocabulary with its merges, `left right` in GPT-2's alphabet, best first.
  init(_ table: ByteTable, merges texts: [UnsafeRawBufferPointer]) {
    byteTokens = (0..<256).map { byte in
      ByteAlphabet.encode(UInt8(byte)).withUnsafeBytes { table.number(of: $0) ?? -1 }
    }
    merges = Dictionary(minimumCapacity: texts.count)
    var joined: [UInt8] = []
    for (rank, text) in texts.enumerated() {
      // The parts may contain no plain space, so the first one after the first byte separates them.
      guard text.count >= 3, let space = text.dropFirst().firstIndex(of: 0x20) else { continue }
      let left = UnsafeRawBufferPointer(rebasing: text[..<space])
      let right = UnsafeRawBufferPointer(rebasing: text[(space + 1)...])
      joined.removeAll(keepingCapacity: true)
      joined.append(contentsOf: left)
      joined.append(contentsOf: right)
      guard let a = table.number(of: left), let b = table.number(of: right),
        let result = joined.withUnsafeBytes({ table.number(of: $0) })
      else { continue }
      let key = Self.key(a, b)
      if merges[key] == nil { merges[key] = Merge(rank: Int32(rank), result: result) }
    }
  }

  private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  /// Appends the tokens of one word.
  func encode(_ word: some Sequence<UInt8>, into tokens: inout [Int32]) {
    var symbols = word.map { byteTokens[Int($0)] }
    guard symbols.count > 1 else {
      if let only = symbols.first, only >= 0 { tokens.append(only) }
      return
    }
    let count = Int32(symbols.count)
    var next = (0..<count).map { $0 + 1 < count ? $0 + 1 : -1 }
    var previous = (0..<count).map { $0 - 1 }
    var gone = [Bool](repeating: false, count: symbols.count)
    var heap = Heap<Candidate>(<)
    func consider(_ left: Int32, _ right: Int32) {
      guard left >= 0, right >= 0 else { return }
      let a = symbols[Int(left)]
      let b = symbols[Int(right)]
      guard a >= 0, b >= 0, let merge = merges[Self.key(a, b)] else { return }
      heap.push(Candidate(rank: merge.rank, left: left, right: right, leftToken: a, rightToken: b))
    }
    for index in 0..<count - 1 { consider(index, index + 1) }
    while let best = heap.pop() {
      let left = Int(best.left)
      let right = Int(best.right)
      guard !gone[left], !gone[right], symbols[left] == best.leftToken, symbols[right] == best.rightToken,
        next[left] == best.right, let merge = merges[Self.key(best.leftToken, best.rightToken)]
      else { continue }
      symbols[left] = merge.result
      gone[right] = true
      next[left] = next[right]
      if next[right] >= 0 { previous[Int(next[right])] = best.left }
      consider(previous[left], best.left)
      consider(best.left, next[left])
    }
    for index in symbols.indices where !gone[index] && symbols[index] >= 0 { tokens.append(symbols[index]) }
  }
}

/// A binary heap: the least element first.
struct Heap<Element> {
  private var elements: [Element] = []
  private let precedes: (Element, Element) -> Bool

  init(_ precedes: @escaping (Element, Element) -> Bool) { self.precedes = precedes }

  mutating func push(_ element: Element) {
    elements.append(element)
    var child = elements.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard precedes(elements[child], elements[parent]) else { return }
      elements.swapAt(child, parent)
      child = parent
    }
  }

  mutating func pop() -> Element? {
    guard let least = elements.first else { return nil }
    let last = elements.removeLast()
    if elements.isEmpty { return least }
    elements[0] = last
    var parent = 0
    while true {
      var smallest = parent
      for child in [2 * parent + 1, 2 * parent + 2]
      where child < elements.count && precedes(elements[child], elements[smallest]) {
        smallest = child
      }
      if smallest == parent { return least }
      elements.swapAt(parent, smallest)
      parent = smallest
    }
  }
}

/// Joins neighbouring symbols of a text until no pair can be joined: the best pair first, the leftmost among equals.
///
/// Both tokenizers are this and differ in which pairs join. The time is n log n in the symbols, whatever the text.
struct PairMerger {
  /// A piece of the text; `length` 0 once it is part of its left neighbour.
  struct Symbol {
    /// -1 for none.
    var token: Int32
    /// The first byte in the text.
    var start: Int32
    var length: Int32
    fileprivate var next: Int32 = -1
    fileprivate var previous: Int32 = -1

    init(token: Int32, start: Int, length: Int) {
      self.token = token
      self.start = Int32(start)
      self.length = Int32(length)
    }
  }

  /// What a pair joins to; a lower `order` is joined earlier.
  struct Join {
    let order: UInt32
    let token: Int32
  }

  /// A pair that may be joined; stale once the length of its halves has changed, for symbols only grow or go.
  private struct Candidate: Comparable {
    /// The order, then the left symbol.
    let key: UInt64
    let right: Int32
    let length: Int32
    let token: Int32

    var left: Int { Int(key & 0xffff_ffff) }

    static func < (a: Candidate, b: Candidate) -> Bool { a.key < b.key }
  }

  private(set) var symbols: [Symbol] = []
  private var heap = Heap<Candidate>()

  mutating func clear() { symbols.removeAll(keepingCapacity: true) }

  mutating func append(_ symbol: Symbol) {
    var symbol = symbol
    let last = symbols.count - 1
    symbol.previous = Int32(last)
    if last >= 0 { symbols[last].next = Int32(symbols.count) }
    symbols.append(symbol)
  }

  /// Joins all that `join` allows.
  mutating func merge(_ join: (Symbol, Symbol) -> Join?) {
    heap.clear()
    for index in symbols.indices.dropLast() { consider(Int32(index), Int32(index) + 1, join) }
    while let best = heap.pop() {
      let left = best.left
      let right = Int(best.right)
      guard symbols[left].length > 0, symbols[right].length > 0,
        symbols[left].length + symbols[right].length == best.length
      else { continue }
      symbols[left].token = best.token
      symbols[left].length = best.length
      symbols[right].length = 0
      let next = symbols[right].next
      symbols[left].next = next
      if next >= 0 { symbols[Int(next)].previous = Int32(left) }
      consider(symbols[left].previous, Int32(left), join)
      consider(Int32(left), next, join)
    }
  }

  private mutating func consider(_ left: Int32, _ right: Int32, _ join: (Symbol, Symbol) -> Join?) {
    guard left >= 0, right >= 0 else { return }
    let (a, b) = (symbols[Int(left)], symbols[Int(right)])
    guard let join = join(a, b) else { return }
    heap.push(
      Candidate(
        key: UInt64(join.order) << 32 | UInt64(UInt32(bitPattern: left)), right: right, length: a.length + b.length,
        token: join.token))
  }
}

/// A binary heap: the least element first.
struct Heap<Element: Comparable> {
  private var elements: [Element] = []

  mutating func clear() { elements.removeAll(keepingCapacity: true) }

  mutating func push(_ element: Element) {
    elements.append(element)
    var child = elements.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard elements[child] < elements[parent] else { return }
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
      let child = 2 * parent + 1
      if child < elements.count, elements[child] < elements[smallest] { smallest = child }
      if child + 1 < elements.count, elements[child + 1] < elements[smallest] { smallest = child + 1 }
      if smallest == parent { return least }
      elements.swapAt(parent, smallest)
      parent = smallest
    }
  }
}

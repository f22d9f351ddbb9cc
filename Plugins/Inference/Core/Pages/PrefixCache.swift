/// Names a whole page of keys and values by everything they depend on: the tokens from the start of the sequence.
package struct PageKey: Hashable {
  /// Before the first page.
  package static let start = PageKey(digest: Digest(of: Array("symbolon.page/1".utf8)))

  private let digest: Digest

  private init(digest: Digest) { self.digest = digest }

  /// H(key of the page before | tokens, big-endian).
  package init(after parent: PageKey, tokens: some Collection<Int32>) {
    var message = parent.digest.bytes
    message.reserveCapacity(message.count + tokens.count * 4)
    for token in tokens { withUnsafeBytes(of: token.bigEndian) { message.append(contentsOf: $0) } }
    digest = Digest(of: message)
  }
}

/// Keys and values of prefixes that were read before, shared by all requests to a model.
///
/// Whole pages are shared as they are and never change; a prefix that ends inside a page is shared by copying the page. Bits
/// depend on nothing but the tokens before them, so what is found needs no check. The least recently used goes first.
/// Belongs to the scheduler's thread.
package final class PrefixCache<Memory> {
  /// What is known of a prompt's beginning.
  package struct Match {
    /// Whole pages, each held for the one who asked.
    package var pages: [SharedPage<Memory>] = []
    package var keys: [PageKey] = []
    /// A page whose first `count` positions continue them; to be copied at once, not held.
    package var tail: (page: SharedPage<Memory>, count: Int)?
    /// 32 bytes for each position, if they were asked for.
    package var leaves: [UInt8] = []
  }

  private final class Node {
    let parent: PageKey
    var tokens: [Int32]
    var page: SharedPage<Memory>
    var leaves: [UInt8]?
    /// The key of a whole page; nil for one that is not full.
    var key: PageKey?
    /// Pages known to continue this one.
    var children = 0
    var used: UInt64 = 0

    init(parent: PageKey, tokens: [Int32], page: SharedPage<Memory>, leaves: [UInt8]?) {
      self.parent = parent
      self.tokens = tokens
      self.page = page
      self.leaves = leaves
    }
  }

  /// Fewer positions are computed sooner than copied.
  private static var leastCopied: Int { 8 }

  private let pool: PagePool<Memory>
  /// Positions of a page.
  private let size: Int
  private let leafSize = 32
  private var whole: [PageKey: Node] = [:]
  /// All nodes by what they continue.
  private var continuations: [PageKey: [Node]] = [:]
  package private(set) var count = 0

  package init(_ pool: PagePool<Memory>, positionsOfPage size: Int) {
    self.pool = pool
    self.size = size
  }

  /// The longest known beginning of `tokens`, at most `limit` positions of it.
  package func match(_ tokens: [Int32], limit: Int, leaves: Bool, now: UInt64) -> Match {
    var match = Match()
    var position = 0
    var parent = PageKey.start
    while position + size <= limit {
      let key = PageKey(after: parent, tokens: tokens[position..<position + size])
      guard let node = whole[key], !leaves || node.leaves != nil else { break }
      node.used = now
      pool.hold(node.page)
      match.pages.append(node.page)
      match.keys.append(key)
      if leaves { match.leaves += node.leaves ?? [] }
      parent = key
      position += size
    }
    guard let (node, count) = longest(tokens, from: position, limit: limit, after: parent, leaves: leaves) else {
      return match
    }
    node.used = now
    match.tail = (node.page, count)
    if leaves { match.leaves += (node.leaves ?? []).prefix(count * leafSize) }
    return match
  }

  /// Remembers a page that is full; returns its key and the page to use from now on.
  ///
  /// If the same content was remembered before, that page is held for the caller in place of the given one.
  package func remember(
    whole page: SharedPage<Memory>, tokens: [Int32], after parent: PageKey, leaves: [UInt8]?, now: UInt64
  ) -> (PageKey, SharedPage<Memory>) {
    let key = PageKey(after: parent, tokens: tokens)
    if let node = whole[key] {
      node.used = now
      if node.leaves == nil { node.leaves = leaves }
      guard node.page !== page else { return (key, page) }
      pool.hold(node.page)
      pool.letGo(page)
      return (key, node.page)
    }
    let node = add(page, tokens, after: parent, leaves, now)
    node.key = key
    whole[key] = node
    return (key, page)
  }

  /// Remembers the filled part of a page; what it continues or repeats of another part is dropped.
  package func remember(
    part page: SharedPage<Memory>, tokens: [Int32], after parent: PageKey, leaves: [UInt8]?, now: UInt64
  ) {
    guard tokens.count >= Self.leastCopied else { return }
    for node in continuations[parent] ?? [] where node.tokens.count >= tokens.count {
      if node.tokens.starts(with: tokens), leaves == nil || node.leaves != nil {
        node.used = now
        return
      }
    }
    _ = add(page, tokens, after: parent, leaves, now)
  }

  /// When the one to go first was used last; nil when there is none whose memory would become free.
  package var oldest: UInt64? { candidate()?.used }

  /// Forgets the one least recently used among those that only the cache holds; whether there was one.
  package func evict() -> Bool {
    guard let node = candidate() else { return false }
    remove(node)
    return true
  }

  /// How many pages would become free if everything were forgotten.
  package var evictable: Int {
    var count = 0
    forEach { if $0.page.holders == 1 { count += 1 } }
    return count
  }

  /// Forgets everything.
  package func clear() {
    forEach { pool.letGo($0.page) }
    whole = [:]
    continuations = [:]
    count = 0
  }

  private func forEach(_ body: (Node) -> Void) { for nodes in continuations.values { nodes.forEach(body) } }

  private func candidate() -> Node? {
    var best: Node?
    forEach { node in
      guard node.children == 0, node.page.holders == 1 else { return }
      if best.map({ node.used < $0.used }) ?? true { best = node }
    }
    return best
  }

  private func longest(
    _ tokens: [Int32], from start: Int, limit: Int, after parent: PageKey, leaves: Bool
  ) -> (Node, Int)? {
    var best: (Node, Int)?
    for node in continuations[parent] ?? [] where !leaves || node.leaves != nil {
      let most = min(limit - start, node.tokens.count)
      var count = 0
      while count < most, node.tokens[count] == tokens[start + count] { count += 1 }
      if count >= Self.leastCopied, count > best?.1 ?? 0 { best = (node, count) }
    }
    return best
  }

  private func add(
    _ page: SharedPage<Memory>, _ tokens: [Int32], after parent: PageKey, _ leaves: [UInt8]?, _ now: UInt64
  ) -> Node {
    // A part that the new one begins with says nothing more, unless it alone has leaves.
    for node in continuations[parent] ?? [] where node.key == nil && tokens.starts(with: node.tokens) {
      if node.leaves == nil || leaves != nil { remove(node) }
    }
    let node = Node(parent: parent, tokens: tokens, page: page, leaves: leaves)
    node.used = now
    pool.hold(page)
    continuations[parent, default: []].append(node)
    whole[parent]?.children += 1
    count += 1
    return node
  }

  private func remove(_ node: Node) {
    continuations[node.parent]?.removeAll { $0 === node }
    if continuations[node.parent]?.isEmpty == true { continuations[node.parent] = nil }
    if let key = node.key { whole[key] = nil }
    whole[node.parent]?.children -= 1
    pool.letGo(node.page)
    count -= 1
  }
}

import InferenceKernels

/// Keys and values of 256 neighbouring positions, all layers and heads; several sequences may share one.
///
/// Whoever holds the only reference may let a step write into it. A page that is shared is never written again: a
/// sequence that would write into a shared page, because its prefix ends inside, gets a `copy`.
///
/// `@unchecked Sendable`: only the thread that runs the model touches the memory.
package final class KVPage: @unchecked Sendable {
  /// Positions of a page.
  package static let positions = Int(SYMBOLON_PAGE)

  private let memory: Arena

  /// An empty page for sequences of `model`.
  package init(_ model: Model) throws(InferenceError) {
    memory = try Arena(
      byteCount: KVPage.byteCount(of: model), huge: false, what: "a page of \(KVPage.positions) tokens")
  }

  /// The memory that a page of `model` takes.
  package static func byteCount(of model: Model) -> Int { Int(symbolon_page_bytes(model.handle)) }

  /// The same keys and values, in memory of its own.
  package func copy(_ model: Model) throws(InferenceError) -> KVPage {
    let page = try KVPage(model)
    page.memory.bytes.copyMemory(from: UnsafeRawBufferPointer(memory.bytes))
    return page
  }

  /// Takes over the first `count` positions of another page of the same model; the rest stays as it was.
  package func copy(first count: Int, of page: KVPage, _ model: Model) {
    precondition(count >= 0 && count <= KVPage.positions)
    guard let target = start, let source = page.start else { return }
    let size = model.sizes.headSize
    // Keys lie in tiles of 16 positions, values position by position, in whole vectors of 16.
    let (tiles, row) = ((count + 15) / 16 * 16 * size, (size + 15) / 16 * 16)
    let (keys, values) = (KVPage.positions * size, KVPage.positions * row)
    for start in stride(from: 0, to: memory.bytes.count / 2, by: keys + values) {
      (target + start).update(from: source + start, count: tiles)
      (target + start + keys).update(from: source + start + keys, count: count * row)
    }
  }

  fileprivate var start: UnsafeMutablePointer<UInt16>? {
    memory.bytes.baseAddress?.assumingMemoryBound(to: UInt16.self)
  }
}

/// Keys and values of one sequence: an ordered list of pages, position p in page p/256.
///
/// `@unchecked Sendable`: only the thread that runs the model touches it.
package final class SequenceCache: @unchecked Sendable {
  let handle: UnsafeMutablePointer<symbolon_cache>
  package private(set) var pages: [KVPage] = []
  /// The table that the kernels read: where each page begins; room for the whole context.
  private let table: UnsafeMutablePointer<UnsafeMutablePointer<UInt16>?>
  private let mostPages: Int
  private let model: Model

  /// A sequence that begins with these pages.
  package init(_ model: Model, pages: [KVPage] = []) {
    self.model = model
    mostPages = (model.context + KVPage.positions - 1) / KVPage.positions
    table = .allocate(capacity: mostPages)
    table.initialize(repeating: nil, count: mostPages)
    handle = .allocate(capacity: 1)
    handle.initialize(to: symbolon_cache(pages: 0, page: table))
    for page in pages { append(page) }
  }

  /// A sequence with pages of its own for `positions` tokens.
  package convenience init(_ model: Model, positions: Int) throws(InferenceError) {
    self.init(model)
    while capacity < positions { append(try KVPage(model)) }
  }

  deinit {
    handle.deallocate()
    table.deallocate()
  }

  /// Positions that the pages hold.
  package var capacity: Int { pages.count * KVPage.positions }

  /// Adds a page after the last.
  package func append(_ page: KVPage) {
    precondition(pages.count < mostPages, "a sequence has at most \(mostPages) pages")
    table[pages.count] = page.start
    pages.append(page)
    handle.pointee.pages = Int32(pages.count)
  }

  /// Puts another page with the same content in the place of one.
  package func replace(_ page: KVPage, at index: Int) {
    table[index] = page.start
    pages[index] = page
  }

  /// Gives up the pages after the first `count`.
  package func keep(_ count: Int) {
    precondition(count <= pages.count)
    pages.removeLast(pages.count - count)
    handle.pointee.pages = Int32(count)
  }
}

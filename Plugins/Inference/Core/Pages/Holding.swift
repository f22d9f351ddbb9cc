/// The pages that one sequence holds, and how many of them others know.
///
/// Belongs to the scheduler's thread.
final class Holding {
  typealias Page = SharedPage<KVPage>

  let cache: SequenceCache
  private(set) var pages: [Page] = []
  /// Keys of the first pages: those that are full and remembered.
  private(set) var keys: [PageKey] = []

  init(_ model: Model) { cache = SequenceCache(model) }

  /// Positions that there is room for.
  var capacity: Int { pages.count * KVPage.positions }

  /// Adds a page that is already held for this sequence.
  func append(_ page: Page) {
    pages.append(page)
    cache.append(page.memory)
  }

  /// Adds whole pages of a prefix, held for this sequence.
  func append(_ shared: [Page], keys names: [PageKey]) {
    for page in shared { append(page) }
    keys += names
  }

  /// Takes note that the next page is remembered under a key, perhaps as another page with the same content.
  func remembered(_ key: PageKey, as page: Page) {
    let index = keys.count
    if pages[index] !== page {
      pages[index] = page
      cache.replace(page.memory, at: index)
    }
    keys.append(key)
  }

  /// Gives all pages back; `discard` keeps nothing of those that only this sequence wrote.
  func release(to pool: PagePool<KVPage>, discard: Bool = false) {
    cache.keep(0)
    for (index, page) in pages.enumerated() { pool.letGo(page, discard: discard && index >= keys.count) }
    pages = []
    keys = []
  }
}

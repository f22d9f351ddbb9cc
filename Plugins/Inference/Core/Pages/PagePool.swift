/// How much memory keys and values may take, over all models of an engine.
///
/// Belongs to the scheduler's thread.
package final class PageBudget {
  /// Bytes.
  package let limit: Int
  package private(set) var used = 0

  package init(limit: Int) { self.limit = limit }

  package func take(_ bytes: Int) -> Bool {
    guard used + bytes <= limit else { return false }
    used += bytes
    return true
  }

  package func giveBack(_ bytes: Int) {
    used -= bytes
    assert(used >= 0)
  }
}

/// A page that sequences and the prefix cache hold together.
package final class SharedPage<Memory> {
  package let memory: Memory
  /// How many hold it; at 0 its memory has gone back to the pool.
  package fileprivate(set) var holders = 1

  fileprivate init(_ memory: Memory) { self.memory = memory }
}

/// The pages of one model: made within the budget, used again, counted.
///
/// Belongs to the scheduler's thread.
package final class PagePool<Memory> {
  /// Unused pages kept for the next sequence, so that their memory need not be made anew.
  private static var mostSpare: Int { 4 }

  package let pageBytes: Int
  private let budget: PageBudget
  private let make: () throws(InferenceError) -> Memory
  private var spare: [Memory] = []
  /// Pages that someone holds.
  package private(set) var held = 0

  package init(pageBytes: Int, budget: PageBudget, make: @escaping () throws(InferenceError) -> Memory) {
    self.pageBytes = pageBytes
    self.budget = budget
    self.make = make
  }

  deinit { dropSpare() }

  /// A page for one holder, with whatever numbers were in it; nil when the budget is used up.
  package func take() throws(InferenceError) -> SharedPage<Memory>? {
    if let memory = spare.popLast() {
      held += 1
      return SharedPage(memory)
    }
    guard budget.take(pageBytes) else { return nil }
    do throws(InferenceError) {
      let page = SharedPage(try make())
      held += 1
      return page
    } catch {
      budget.giveBack(pageBytes)
      throw error
    }
  }

  package func hold(_ page: SharedPage<Memory>) {
    precondition(page.holders > 0, "a page that was given back is held again")
    page.holders += 1
  }

  /// One holder less; `discard` keeps nothing of a page that may hold numbers that are not finite.
  package func letGo(_ page: SharedPage<Memory>, discard: Bool = false) {
    precondition(page.holders > 0, "a page is given back more often than it was held")
    page.holders -= 1
    guard page.holders == 0 else { return }
    held -= 1
    if !discard, spare.count < Self.mostSpare { spare.append(page.memory) } else { budget.giveBack(pageBytes) }
  }

  /// Unused pages that are kept.
  package var spareCount: Int { spare.count }

  /// Gives unused pages back to the system; whether there were any.
  @discardableResult
  package func dropSpare() -> Bool {
    guard !spare.isEmpty else { return false }
    budget.giveBack(pageBytes * spare.count)
    spare = []
    return true
  }
}

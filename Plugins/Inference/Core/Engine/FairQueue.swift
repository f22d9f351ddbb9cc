/// What waits for its turn, fair between callers: next is the oldest of the caller who has the least running.
package struct FairQueue<Element> {
  /// What to do with an element that could be next.
  package enum Verdict {
    case take
    /// It must wait for something; others may pass it.
    case pass
    /// Nobody may be next for now.
    case stop
  }

  private struct Line {
    var elements: [(order: UInt64, element: Element)] = []
    /// When one of this caller's was taken last.
    var served: UInt64 = 0
  }

  /// How many elements one search looks at: bounds the work of a step.
  private static var mostInspected: Int { 256 }

  private var lines: [String: Line] = [:]
  private var turn: UInt64 = 0
  package private(set) var count = 0

  package init() {}

  package var isEmpty: Bool { count == 0 }

  /// Adds at the end, or in front of its caller's line.
  package mutating func append(_ element: Element, order: UInt64, caller: String) {
    var line = lines[caller] ?? Line()
    let place = line.elements.lastIndex { $0.order < order }.map { $0 + 1 } ?? 0
    line.elements.insert((order, element), at: place)
    lines[caller] = line
    count += 1
  }

  /// Takes the next one that may be taken; `running` says how much a caller has running.
  package mutating func next(running: (String) -> Int, _ verdict: (Element) -> Verdict) -> Element? {
    let callers = lines.keys.map { caller in
      (caller, running(caller), lines[caller]?.served ?? 0, lines[caller]?.elements.first?.order ?? 0)
    }.sorted { ($0.1, $0.2, $0.3) < ($1.1, $1.2, $1.3) }
    var inspected = 0
    for (caller, _, _, _) in callers {
      for (index, entry) in (lines[caller]?.elements ?? []).enumerated() {
        inspected += 1
        if inspected > Self.mostInspected { return nil }
        switch verdict(entry.element) {
        case .stop: return nil
        case .pass: continue
        case .take:
          turn += 1
          lines[caller]?.served = turn
          remove(from: caller, at: index)
          return entry.element
        }
      }
    }
    return nil
  }

  /// Removes and returns all that match.
  package mutating func removeAll(where matches: (Element) -> Bool) -> [Element] {
    var removed: [Element] = []
    for caller in Array(lines.keys) {
      guard var line = lines[caller] else { continue }
      let kept = line.elements.filter { entry in
        guard matches(entry.element) else { return true }
        removed.append(entry.element)
        return false
      }
      guard kept.count < line.elements.count else { continue }
      line.elements = kept
      lines[caller] = kept.isEmpty ? nil : line
    }
    count -= removed.count
    return removed
  }

  /// Calls the body with every element, in no particular order.
  package func forEach(_ body: (Element) -> Void) {
    for line in lines.values { for entry in line.elements { body(entry.element) } }
  }

  private mutating func remove(from caller: String, at index: Int) {
    lines[caller]?.elements.remove(at: index)
    if lines[caller]?.elements.isEmpty == true { lines[caller] = nil }
    count -= 1
  }
}

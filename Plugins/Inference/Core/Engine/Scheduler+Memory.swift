/// Who is admitted, and whose pages are taken when there are too few.
extension Scheduler {
  /// Admits what the limits and the memory allow; whether anything was.
  func admit(to lane: Lane) -> Bool {
    var admitted: [TokenSequence] = []
    while lane.active.count < lane.limits.mostActive {
      if let sequence = lane.nextPreempted {
        guard fits(sequence, lane) else { break }
        lane.activate(sequence)
        if begin(sequence, lane) { admitted.append(sequence) }
        continue
      }
      let next = lane.waiting.next(running: lane.running) { sequence in
        if lane.isBeingRead(sequence) { return .pass }
        return fits(sequence, lane) ? .take : .stop
      }
      guard let next else { break }
      left([next], lane)
      lane.activate(next)
      if begin(next, lane) { admitted.append(next) }
    }
    return !admitted.isEmpty
  }

  /// Whether there is memory for a sequence's tokens without taking another's pages.
  private func fits(_ sequence: TokenSequence, _ lane: Lane) -> Bool {
    guard lanes.contains(where: { !$0.active.isEmpty }) else { return true }
    let wanted = (sequence.tokens.count / KVPage.positions + 1) * lane.pages.pageBytes
    var free = budget.limit - budget.used
    for lane in lanes where free < wanted {
      free += (lane.pages.spareCount + lane.prefixes.evictable + lane.idlePages) * lane.pages.pageBytes
    }
    return free >= wanted
  }

  /// Gives an active sequence what is known of its prefix; false when it failed.
  private func begin(_ sequence: TokenSequence, _ lane: Lane) -> Bool {
    do throws(InferenceError) {
      try lane.begin(sequence, now: turn) { () throws(InferenceError) in try page(lane, for: nil) }
      counters.cachedPositions += sequence.computed
      return true
    } catch {
      sequence.job.fail(error)
      lane.active.removeAll { $0 === sequence }
      lane.release(sequence, now: turn)
      return false
    }
  }

  /// Sees to pages for the next `count` positions; false when the sequence had to wait or failed.
  ///
  /// With `preempting`, newer sequences give theirs back, and the sequence itself where it is the newest.
  func reserve(_ count: Int, for sequence: TokenSequence, _ lane: Lane, preempting: Bool) -> Bool {
    let wanted = sequence.computed + count
    do throws(InferenceError) {
      while sequence.holding.capacity < wanted {
        guard let page = try page(lane, for: preempting ? sequence : nil) else {
          guard preempting else { return false }
          if lanes.contains(where: { $0.active.contains { $0 !== sequence && !$0.holding.pages.isEmpty } }) {
            preempt(sequence, lane)
            return false
          }
          throw InferenceError(
            .exhausted, "kv_memory_exhausted",
            "This conversation does not fit into the memory for keys and values: raise `kv_memory`, or ask for less.",
            retryAfterSeconds: 10)
        }
        sequence.holding.append(page)
      }
      return true
    } catch {
      sequence.job.fail(error)
      lane.active.removeAll { $0 === sequence }
      lane.release(sequence, now: turn)
      return false
    }
  }

  /// A page, after making room for it if need be: unused pages, forgotten prefixes, then those of newer sequences.
  private func page(_ lane: Lane, for sequence: TokenSequence?) throws(InferenceError) -> Holding.Page? {
    while true {
      if let page = try lane.pages.take() { return page }
      if lanes.contains(where: { $0.pages.dropSpare() }) || forgetOldest() { continue }
      guard let sequence, let (victim, home) = victim(for: sequence) else { return nil }
      preempt(victim, home)
    }
  }

  private func preempt(_ sequence: TokenSequence, _ lane: Lane) {
    lane.preempt(sequence, now: turn)
    counters.preemptions += 1
  }

  private func forgetOldest() -> Bool {
    var oldest: (lane: Lane, used: UInt64)?
    for lane in lanes {
      if let used = lane.prefixes.oldest, used < oldest?.used ?? .max { oldest = (lane, used) }
    }
    return oldest?.lane.prefixes.evict() ?? false
  }

  /// The newest of those whose receivers do not keep up, else the newest that came later.
  private func victim(for sequence: TokenSequence) -> (TokenSequence, Lane)? {
    var best: (sequence: TokenSequence, lane: Lane)?
    for lane in lanes {
      for other in lane.active where other !== sequence && !other.holding.pages.isEmpty {
        guard other.isPaused || other.arrival > sequence.arrival else { continue }
        if let seen = best?.sequence,
          (seen.isPaused ? 1 : 0, seen.arrival) > (other.isPaused ? 1 : 0, other.arrival)
        {
          continue
        }
        best = (other, lane)
      }
    }
    return best.map { ($0.sequence, $0.lane) }
  }
}

extension Meter {
  /// Finds the key of a secret, or refuses it without saying whether it ever existed.
  ///
  /// The look-up is by SHA-256, so its time tells nothing about a key that was almost right.
  package func authenticate(_ secret: String) throws -> KeyHash {
    let shown = secret.utf8.count > 16 ? "\(secret.prefix(11))…" : "…"
    let hash = KeyHash(secret: secret)
    let phase = state.withLock { $0.book.keys[hash]?.phase }
    switch phase {
    case .open: return hash
    case .revoked, .closed:
      throw Refusal(
        .unauthenticated, "invalid_api_key", "This ticket key (\(shown)) was revoked. Ask the operator for a new one.")
    case .opening, nil:
      throw Refusal(
        .unauthenticated, "invalid_api_key",
        "Incorrect API key provided: \(shown). A ticket key begins with \(TicketSecret.prefix) and is made with "
          + "`symbolon key create`.")
    }
  }

  /// Whether a key may go on being served.
  package func isOpen(_ key: KeyHash) -> Bool { state.withLock { $0.book.keys[key]?.phase == .open } }

  /// Takes a request out of the key's limits, or refuses with the time to wait.
  ///
  /// Balanced by `leave`.
  package func admit(_ key: KeyHash) throws -> RateStanding {
    let now = clock.monotonicMilliseconds()
    return try state.withLock { state in
      if state.buckets.count > 1024 { state.buckets = state.buckets.filter { !$0.value.isFull(at: now) } }
      var bucket = state.buckets[key] ?? RateBucket(limits.rate, now: now)
      guard bucket.running < limits.rate.concurrent else {
        throw Refusal(
          .rateLimited, "concurrency_limit_exceeded",
          "This key already has \(bucket.running) requests running, its limit. Wait for one of them.",
          retryAfterSeconds: 1)
      }
      let missing = bucket.take(now)
      if missing == nil { bucket.running += 1 }
      state.buckets[key] = bucket
      if let missing {
        throw Refusal(
          .rateLimited, "rate_limit_exceeded",
          "This key may ask \(limits.rate.requestsPerMinute) times a minute. Try again in \(missing) ms.",
          retryAfterSeconds: max(1, (missing + 999) / 1000))
      }
      return bucket.standing()
    }
  }

  package func leave(_ key: KeyHash) {
    state.withLock { $0.buckets[key]?.running -= 1 }
  }

  /// What a request holds until it is charged or released.
  package struct Reservation: Equatable, Sendable {
    package let id: UInt64
    package let key: KeyHash
    package let amount: Amount
    /// The price at the time; it holds until the request ends.
    package let price: Price
    package let promptTokens: UInt64
    package let maximumCompletion: UInt64
    /// What an earlier try of the same request has paid already.
    package let credit: Amount
  }

  /// What a request would like to reserve.
  package struct Demand: Sendable {
    package var price: Price
    package var promptTokens: UInt64
    package var completion: UInt64
    /// A smaller completion that will do when the balance does not reach for all; equal to `completion` if none will.
    package var leastCompletion: UInt64
    /// Names the request if it carried an `Idempotency-Key`.
    package var request: [UInt8]?

    package init(
      price: Price, promptTokens: UInt64, completion: UInt64, leastCompletion: UInt64, request: [UInt8]? = nil
    ) {
      self.price = price
      self.promptTokens = promptTokens
      self.completion = completion
      self.leastCompletion = min(leastCompletion, completion)
      self.request = request
    }
  }

  /// Holds the most that the request can cost; refuses when the balance does not reach for it.
  package func reserve(_ key: KeyHash, _ demand: Demand) throws -> Reservation {
    try state.withLock { state in
      guard let entry = state.book.keys[key], entry.phase == .open else {
        throw Refusal(.unauthenticated, "invalid_api_key", "This ticket key was revoked.")
      }
      let now = clock.unixMilliseconds()
      let credit = demand.request.map { state.book.payment($0, at: now) } ?? .zero
      let available = entry.balance + credit
      let price = demand.price
      var completion = demand.completion
      if let affordable = price.affordableCompletion(available, prompt: demand.promptTokens) {
        completion = min(completion, max(affordable, demand.leastCompletion))
      }
      let cost = price.cost(TokenCounts(prompt: demand.promptTokens, completion: completion))
      guard cost <= available else { throw Self.insufficient(entry.balance, required: cost - credit) }
      let reservation = Reservation(
        id: state.book.nextReservation, key: key, amount: cost - credit, price: price,
        promptTokens: demand.promptTokens, maximumCompletion: completion, credit: credit)
      try record([.reserve(id: reservation.id, key: key, amount: reservation.amount)], &state)
      return reservation
    }
  }

  private static func insufficient(_ balance: Amount, required: Amount) -> Refusal {
    let shortfall = required - balance
    return Refusal(
      .insufficientFunds, "insufficient_tickets",
      "This request can cost up to \(required) µ-credits and the key has \(balance) left: \(shortfall) are missing. "
        + "Ask for fewer tokens with `max_tokens`, or use a key with a larger budget.",
      details: [
        .init("balance", .integer(balance.micro)), .init("required", .integer(required.micro)),
        .init("shortfall", .integer(shortfall.micro)),
      ])
  }

  /// What the delivered tokens cost within a reservation, less what an earlier try paid.
  ///
  /// Nothing delivered costs nothing.
  package func owed(_ reservation: Reservation, _ delivered: TokenCounts) -> Amount {
    guard delivered != TokenCounts() else { return .zero }
    return min(reservation.price.cost(delivered) - reservation.credit, reservation.amount)
  }

  /// Ends a reservation: charges what was delivered and releases the rest.
  ///
  /// `request` remembers the payment for a repeat; `renewsCredit` says whether a repeat that used an earlier payment
  /// may be repeated again at no cost (it may when its answer is kept and not generated again).
  @discardableResult
  package func charge(
    _ reservation: Reservation, _ delivered: TokenCounts, request: [UInt8]? = nil, renewsCredit: Bool = true
  ) -> Amount {
    let owed = owed(reservation, delivered)
    var records: [Record] = [
      delivered != TokenCounts()
        ? .charge(id: reservation.id, amount: owed, tokens: delivered) : .release(id: reservation.id)
    ]
    if let request, delivered != TokenCounts() {
      let paid = renewsCredit || reservation.credit == .zero ? reservation.credit + owed : .zero
      records.append(.paid(request: request, amount: paid, milliseconds: clock.unixMilliseconds()))
    }
    state.withLock { recordFact(records, &$0) }
    state.wakeAll()
    return owed
  }

  /// Ends a reservation of which nothing was delivered.
  package func release(_ reservation: Reservation) { charge(reservation, TokenCounts()) }
}

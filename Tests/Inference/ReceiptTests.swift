import CSodium
import InferenceCore
import Testing

/// Receipts as values: what is signed, what is refused, what comes back from JSON.
@Suite struct ReceiptTests {
  /// A key that every run makes the same.
  struct Key {
    var publicKey = [UInt8](repeating: 0, count: 32)
    private var secret = [UInt8](repeating: 0, count: 64)

    init(_ seed: UInt8 = 7) { crypto_sign_seed_keypair(&publicKey, &secret, [UInt8](repeating: seed, count: 32)) }

    func sign(_ message: [UInt8]) -> [UInt8] {
      var signature = [UInt8](repeating: 0, count: 64)
      crypto_sign_detached(&signature, nil, message, UInt64(message.count), secret)
      return signature
    }
  }

  static func parameters() -> ReceiptParameters {
    var sampling = SamplingParameters(temperature: 0.7, topK: 40, topP: 0.95, seed: 0xffff_ffff_ffff_fff0)
    sampling.bias = [.init(token: 3, value: -1.5), .init(token: 9, value: 100)]
    return ReceiptParameters(
      sampling: sampling, maxTokens: 12, stops: ["\n\n", "é"],
      responseFormat: .object([.init("type", .string("json_object"))]))
  }

  static func make(_ change: (inout Receipt.Opening) -> Void = { _ in }) throws -> Receipt {
    let digests = (0..<5).map { position in (0..<3).map { Digest(of: [UInt8(position), $0]) } }
    let tokens: [Int32] = [1, 2, 3, 4, 5, 6]
    var opening = Receipt.Opening(
      parameters: parameters(), prompt: Array(tokens[..<3]), output: Array(tokens[3...]),
      leaves: digests.enumerated().map { PositionDigests(position: $0, token: tokens[$0], digests: $1).leaf },
      digests: digests)
    change(&opening)
    let key = Key()
    return try Receipt(model: [UInt8](repeating: 1, count: 32), opening, provider: key.publicKey, sign: key.sign)
  }

  @Test func aReceiptHoldsAndComesBackFromItsJSON() throws {
    let receipt = try Self.make()
    #expect(receipt.flaws == [])
    let again = try Receipt(json: try JSONValue(document: receipt.json.text))
    #expect(again == receipt && again.flaws == [])
  }

  /// Layout of the signed bytes: a change is another version.
  @Test func theMessageHasTheDocumentedBytes() throws {
    let statement = try Self.make().statement
    let message = statement.message
    #expect(message.count == 19 + 4 + 3 * 32 + 8 + 4 + 4 + 2 * 32 + 2 * 32)
    #expect(Array(message.prefix(19)) == Array("symbolon/receipt/1".utf8) + [0])
    #expect(message[19..<23] == [0, 0, 0, 1] && message[23..<55] == [UInt8](repeating: 1, count: 32)[...])
    #expect(message[119..<127] == [255, 255, 255, 255, 255, 255, 255, 0xf0])
    #expect(message[127..<135] == [0, 0, 0, 3, 0, 0, 0, 3] && message.suffix(32) == statement.provider[...])
  }

  @Test func theHashOfTokensIsThatOfItsDescription() {
    let message = Array("symbolon.tokens/1".utf8) + [0, 0, 0, 2, 0, 0, 0, 5, 0, 1, 0, 0]
    #expect(Receipt.hash(of: [5, 65536]) == Digest(of: message))
  }

  static let changes: [(Receipt.Flaw, @Sendable (inout Receipt) -> Void)] = [
    (.signature, { $0.signature[5] ^= 1 }), (.signature, { $0.statement.provider = Key(8).publicKey }),
    (.signature, { $0.statement.model[0] ^= 1 }), (.parameters, { $0.statement.seed += 1 }),
    (.parameters, { $0.opening.parameters.sampling.temperature = 0.7000001 }),
    (.parameters, { $0.opening.parameters.stops = ["\n"] }), (.parameters, { $0.opening.parameters.maxTokens += 1 }),
    (.parameters, { $0.opening.parameters.responseFormat = nil }), (.prompt, { $0.opening.prompt[0] = 7 }),
    (.output, { $0.opening.output[2] = 7 }), (.trace, { $0.opening.leaves[4] = Digest(of: []) }),
    (.trace, { $0.opening.leaves.removeLast() }), (.digests, { $0.opening.digests[2][1] = Digest(of: []) }),
    (.specification, { $0.statement.specification[0] ^= 1 }),
  ]

  @Test(arguments: changes.indices) func whateverIsChangedIsFound(_ index: Int) throws {
    var receipt = try Self.make()
    let (flaw, change) = Self.changes[index]
    change(&receipt)
    #expect(receipt.flaws.contains(flaw), "\(receipt.flaws)")
    let isStatement = [Receipt.Flaw.signature, .specification].contains(flaw) || receipt.statement.seed & 1 == 1
    #expect(isStatement == receipt.flaws.contains(.signature), "\(receipt.flaws)")
  }

  @Test func everyParameterHasItsPlaceInTheHash() {
    let base = Self.parameters()
    let changes: [(inout ReceiptParameters) -> Void] = [
      { $0.sampling.temperature = 1 }, { $0.sampling.topK = 41 }, { $0.sampling.topP = 0.9 },
      { $0.sampling.minP = 0.1 }, { $0.sampling.typicalP = 0.5 }, { $0.sampling.repetitionPenalty = 1.1 },
      { $0.sampling.frequencyPenalty = 1 }, { $0.sampling.presencePenalty = 1 }, { $0.sampling.bias = [] },
      { $0.maxTokens = 13 }, { $0.stops = ["\n", "\né"] }, { $0.responseFormat = nil },
      { $0.tools = .array([]) }, { $0.toolChoice = .string("required") },
    ]
    var seen: Set<Digest> = [base.hash]
    for change in changes {
      var other = base
      change(&other)
      #expect(seen.insert(other.hash).inserted)
    }
    var reseeded = base
    reseeded.sampling.seed = 1
    #expect(reseeded.hash == base.hash, "the seed stands in the statement")
  }

  @Test func aHostileDocumentGetsASentence() throws {
    let good = try Self.make().json
    let members = good.object ?? []
    var dice = Dice(seed: 4711)
    for member in members where member.name != "digests" {
      for value: JSONValue in [.null, .number("-1"), .string("zz"), .array([.number("1e99")]), .object([])] {
        let others = members.map { $0.name == member.name ? .init($0.name, value) : $0 }
        #expect(throws: InferenceError.self) { try Receipt(json: .object(others)) }
      }
    }
    let text = Array(good.text.utf8)
    for _ in 0..<2000 {
      var bytes = text
      for _ in 0..<Int(dice.next() % 4 + 1) { bytes[Int(dice.next() % UInt64(bytes.count))] = UInt8(dice.next() & 127) }
      guard let json = try? JSONValue(document: String(decoding: bytes, as: UTF8.self)),
        let receipt = try? Receipt(json: json)
      else { continue }
      // What still reads is the same, written otherwise or without the digests, or does not hold.
      var same = try Self.make()
      same.opening.digests = receipt.opening.digests
      #expect(receipt == same || !receipt.flaws.isEmpty)
    }
  }
}

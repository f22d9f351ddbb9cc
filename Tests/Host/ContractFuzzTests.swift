import Foundation
import Host
import Testing

/// Ten million inputs for what strangers can reach: the parser of signatures and the codec of arguments.
///
/// A property that fails names the seed; `SYMBOLON_FUZZ_SEED=… swift test --filter ContractFuzz` repeats the run.
@Suite struct ContractFuzzTests {
  static let seed =
    ProcessInfo.processInfo.environment["SYMBOLON_FUZZ_SEED"].flatMap { UInt64($0) }
    ?? UInt64.random(in: 0...UInt64.max)
  /// Inputs of each of the four properties.
  static let count = 2_500_000

  private func generator(_ stream: UInt64) -> SplitMix {
    print("ContractFuzz seed \(Self.seed), stream \(stream)")
    return SplitMix(seed: Self.seed &+ stream)
  }

  private static let types = ["bool", "i32", "u32", "i64", "u64", "f64", "text", "bytes", "json"]

  /// A right signature of up to `limit` parameters.
  private static func signature(_ random: inout SplitMix, limit: Int) -> String {
    let parameters = (0..<Int(random.next() % UInt64(limit + 1))).map { "a\($0): \(types[Int(random.next() % 9)])" }
    let results = (0..<Int(random.next() % 3)).map { "r\($0): \(types[Int(random.next() % 9)])" }
    return "f(\(parameters.joined(separator: ", ")))"
      + (results.isEmpty ? "" : " -> (\(results.joined(separator: ", ")))")
  }

  /// Bytes that mostly fit the signature: values that its types allow, and some that they do not.
  private static func bytes(_ signature: Signature, _ random: inout SplitMix) -> [UInt8] {
    var out: [UInt8] = []
    for field in signature.parameters {
      let noise = random.next()
      switch field.type {
      case .bool: out.append(UInt8(noise % 64 == 0 ? noise >> 56 : noise & 1))
      case .i32, .u32: for index in 0..<4 { out.append(UInt8(truncatingIfNeeded: noise >> (8 * UInt64(index)))) }
      case .i64, .u64, .f64: for index in 0..<8 { out.append(UInt8(truncatingIfNeeded: noise >> (8 * UInt64(index)))) }
      case .text, .bytes, .json:
        let length = Int(noise % 7)
        out += [0, 0, 0, UInt8(length)]
        let mask: UInt8 = field.type == .bytes || noise >> 60 == 0 ? 0xff : 0x7f
        for index in 0..<length { out.append(UInt8(truncatingIfNeeded: noise >> (8 * UInt64(index) + 3)) & mask) }
      }
    }
    return out
  }

  /// Encoding what was decoded gives the same bytes: every value has one form only.
  @Test func whatTheCodecAcceptsIsCanonical() throws {
    var random = generator(1)
    var accepted = 0
    for _ in 0..<(Self.count / 2500) {
      let signature = try Signature(parsing: Self.signature(&random, limit: 8))
      for _ in 0..<2500 {
        let bytes = Self.bytes(signature, &random)
        guard let arguments = try? Arguments(canonical: bytes, for: signature) else { continue }
        accepted += 1
        if arguments.canonical(for: signature) != bytes {
          Issue.record("seed \(Self.seed): \(signature) \(bytes.hexadecimal)")
        }
      }
    }
    #expect(accepted > Self.count / 2)
  }

  /// Decoding what was encoded gives the same values; no prefix and no longer form of them is taken.
  @Test func whatIsEncodedIsDecodedAndNothingElseIs() throws {
    var random = generator(2)
    for _ in 0..<(Self.count / 2500) {
      let signature = try Signature(parsing: Self.signature(&random, limit: 4))
      for _ in 0..<833 {
        guard let first = try? Arguments(canonical: Self.bytes(signature, &random), for: signature) else { continue }
        let bytes = first.canonical(for: signature)
        guard let again = try? Arguments(canonical: bytes, for: signature), again == first else {
          Issue.record("seed \(Self.seed): \(signature) \(bytes.hexadecimal)")
          continue
        }
        let cut = bytes.isEmpty ? 0 : Int(random.next() % UInt64(bytes.count))
        let shorter = try? Arguments(canonical: Array(bytes[..<cut]), for: signature)
        let longer = try? Arguments(canonical: bytes + [UInt8(cut & 0xff)], for: signature)
        if longer != nil || (shorter != nil && !bytes.isEmpty) {
          Issue.record("seed \(Self.seed): \(signature) takes \(bytes.hexadecimal) cut at \(cut) or with more")
        }
      }
    }
  }

  /// Bytes of any kind end in values or in a sentence.
  @Test func anyBytesAreTakenOrRefused() throws {
    var random = generator(3)
    var refused = 0
    for _ in 0..<(Self.count / 2500) {
      let signature = try Signature(parsing: Self.signature(&random, limit: 6))
      for _ in 0..<2500 {
        var bytes = Self.bytes(signature, &random)
        for _ in 0..<(1 + random.next() % 4) where !bytes.isEmpty {
          bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next())
        }
        if random.next() % 4 == 0, !bytes.isEmpty { bytes.removeLast(Int(random.next() % UInt64(bytes.count))) }
        do throws(HostError) {
          let arguments = try Arguments(canonical: bytes, for: signature)
          if arguments.canonical(for: signature) != bytes { Issue.record("seed \(Self.seed): \(bytes.hexadecimal)") }
        } catch {
          refused += 1
          if error.message.isEmpty { Issue.record("seed \(Self.seed): no sentence for \(bytes.hexadecimal)") }
        }
      }
    }
    #expect(refused > Self.count / 20)
  }

  /// Texts of any kind are signatures, whose canonical text is a fixed point, or are refused with a sentence.
  @Test func anyTextIsASignatureOrRefused() {
    var random = generator(4)
    let words = [
      "f", "a", "(", ")", ":", ",", "->", "stream", "<", ">", " ", "u64", "text", "bool", "bytes", "é", "\u{0}", "_",
      "9",
      "f(", ") -> (", "a: u64", "b: stream<text>", "()",
    ]
    var accepted = 0
    for _ in 0..<Self.count {
      var text = random.next() % 2 == 0 ? "" : "f(a: u64"
      for _ in 0..<(random.next() % 8) { text += words[Int(random.next() % UInt64(words.count))] }
      guard let signature = try? Signature(parsing: text) else { continue }
      accepted += 1
      let canonical = signature.description
      if (try? Signature(parsing: canonical)) != signature {
        Issue.record("seed \(Self.seed): \(text.debugDescription)")
      }
    }
    #expect(accepted > 1000)
  }
}

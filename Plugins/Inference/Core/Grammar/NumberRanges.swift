/// Whole numbers between two bounds, as decimal digits.
enum NumberRanges {
  /// The largest magnitude that is written: 16 digits, which every reader of JSON holds exactly enough.
  static let most: Int64 = 9_999_999_999_999_999

  /// All whole numbers from `low` to `high`; none when there is none.
  static func integers(_ low: Int64, _ high: Int64) -> Form {
    let (low, high) = (max(low, -most), min(high, most))
    guard low <= high else { return .choice([]) }
    var forms: [Form] = []
    if low < 0 { forms.append(.sequence([.text("-"), digits(UInt64(max(1, -high)), UInt64(-low))])) }
    if high >= 0 { forms.append(digits(UInt64(max(0, low)), UInt64(high))) }
    return .choice(forms)
  }

  /// Numbers between two bounds: whole ones, and those between them where both neighbours fit.
  static func numbers(_ low: Double, _ high: Double) -> Form {
    func whole(_ value: Double) -> Int64 { Int64(min(max(value, -Double(most)), Double(most))) }
    let (first, last) = (whole(low.rounded(.up)), whole(high.rounded(.down)))
    guard low <= high, first <= last else { return .choice([]) }
    let fraction = Form.sequence([.text("."), .repeated(.set(ByteSet(0x30...0x39)), least: 1, most: 16)])
    var forms = [integers(first, last)]
    // n.f lies between n and n + 1; -n.f between -n - 1 and -n.
    if last >= 1 { forms.append(.sequence([integers(max(0, first), last - 1), fraction])) }
    if first <= -1 {
      let digits = digits(UInt64(max(0, -last)), UInt64(-first - 1))
      forms.append(.sequence([.text("-"), digits, fraction]))
    }
    return .choice(forms)
  }

  /// Numbers without a sign.
  private static func digits(_ low: UInt64, _ high: UInt64) -> Form {
    guard low <= high else { return .choice([]) }
    var forms: [Form] = []
    var power: UInt64 = 10
    for length in 1...17 {
      let (least, greatest) = (length == 1 ? 0 : power / 10, power - 1)
      if max(low, least) <= min(high, greatest) {
        forms.append(same(Array("\(max(low, least))".utf8)[...], Array("\(min(high, greatest))".utf8)[...]))
      }
      power *= 10
    }
    return .choice(forms)
  }

  /// Numbers between two of the same length.
  private static func same(_ low: ArraySlice<UInt8>, _ high: ArraySlice<UInt8>) -> Form {
    guard let first = low.first, let last = high.first else { return .nothing }
    // All of them: else each digit would be told apart in two ways, and so on for each after it.
    if low.allSatisfy({ $0 == 0x30 }), high.allSatisfy({ $0 == 0x39 }) {
      return .repeated(.set(ByteSet(0x30...0x39)), least: low.count, most: low.count)
    }
    let (lower, upper) = (low.dropFirst(), high.dropFirst())
    if first == last { return .sequence([.bytes([first]), same(lower, upper)]) }
    let zeros = [UInt8](repeating: 0x30, count: lower.count)[...]
    let nines = [UInt8](repeating: 0x39, count: lower.count)[...]
    var forms: [Form] = [
      .sequence([.bytes([first]), same(lower, nines)]), .sequence([.bytes([last]), same(zeros, upper)]),
    ]
    if last - first > 1 {
      let any = Form.repeated(.set(ByteSet(0x30...0x39)), least: lower.count, most: lower.count)
      forms.append(.sequence([.set(ByteSet(first + 1...last - 1)), any]))
    }
    return .choice(forms)
  }
}

// One Swift module in two versions, for the experiment behind docs/architecture.md: both are loaded into one process, and
// `probe` counts every operation that meets the other version's types instead of its own.
import FoundationEssentials
import Synchronization
protocol Speaker { func speak() -> String }
#if NEXT
  let tag = "B"
  struct Payload: Codable, Hashable { var a: Int; var extra: [String] = ["b", "b"]; var z = 7 }
#else
  let tag = "A"
  struct Payload: Codable, Hashable { var a: Int }
#endif
final class Box<T>: Speaker {
  let v: T; init(_ v: T) { self.v = v }; func speak() -> String { "\(tag):\(type(of: v))" }
}
extension Payload: Speaker { func speak() -> String { tag } }
extension Array: Speaker where Element: Speaker { func speak() -> String { tag + map { $0.speak() }.joined() } }
struct Fail: Error, Equatable { var w = tag }
enum Kind: String, Codable, CaseIterable {
  case one, two
  #if NEXT
    case three
  #endif
}
let counter = Mutex<[Payload: Int]>([:])
/// Reads from both copies.
@c public func probe(_ out: UnsafeMutablePointer<CChar>, _ rounds: Int32) -> Int32 {
  var bad: Int32 = 0
  for i in 0..<Int(rounds) {
    let any: Any = Payload(a: i)
    if (any as? any Speaker)?.speak() != tag { bad += 1 }
    let box: AnyObject = Box(Payload(a: i))
    if (box as? Box<Payload>)?.speak() == nil { bad += 1 }
    if ((box as? any Speaker)?.speak().hasPrefix(tag)) != true { bad += 1 }
    let list: Any = [Payload(a: i), Payload(a: 2)]
    if (list as? any Speaker)?.speak() != tag + tag + tag { bad += 1 }
    do { throw Fail() } catch let f as Fail { if f.w != tag { bad += 1 } } catch { bad += 1 }
    let data = try? JSONEncoder().encode(Payload(a: i))
    if data.flatMap({ try? JSONDecoder().decode(Payload.self, from: $0) })?.a != i { bad += 1 }
    #if NEXT
      if Kind.allCases.count != 3 || MemoryLayout<Payload>.size != 24 { bad += 1 }
    #else
      if Kind.allCases.count != 2 || MemoryLayout<Payload>.size != 8 { bad += 1 }
    #endif
    counter.withLock { $0[Payload(a: i % 100), default: 0] += 1 }
    let kp = \Payload.a
    if Payload(a: i)[keyPath: kp] != i { bad += 1 }
  }
  // The one thing that does find the version that was loaded first: a look-up by mangled name. Plugins do without it.
  let sameByName = _typeByName("9duplicate7PayloadV") == Payload.self
  let s = "\(tag) own-by-name=\(sameByName)"
  s.withCString { p in
    var k = 0; while p[k] != 0 && k < 250 { out[k] = p[k]; k += 1 }; out[k] = 0
  }
  return bad
}

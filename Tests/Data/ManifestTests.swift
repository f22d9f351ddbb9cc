import DataCore
import Testing

@Test func theIdOfAManifestDoesNotChange() throws {
  // The canonical form hashed with Python's hashlib and struct.
  #expect(
    try Manifest(json: manifest()).id.description == "184ba6335498c39f9b9cf51c9b9330579040fe7f21446f0c2dbcad87b2ed0642")
}

@Test func orderAndSpacingDoNotChangeTheId() throws {
  let two = #"{"path":"b","size":0,"sha256":"\#(helloHash)"}"#
  let one = #"{"size" : 6, "path":"a","sha256":"\#(helloHash.uppercased())"}"#
  let other = #"{"path":"a","size":6,"sha256":"\#(helloHash)"}"#
  #expect(
    try Manifest(json: manifest(files: "[\(two),\(one)]")).id == Manifest(json: manifest(files: "[\(other),\(two)]")).id
  )
}

@Test func anyValueChangesTheId() throws {
  let texts = [
    manifest(), manifest(name: "Other"), manifest(licence: "MIT"), manifest(source: "https://example.org/x"),
    manifest(files: #"[{"path":"a/hello.txt","size":7,"sha256":"\#(helloHash)"}]"#),
    manifest(more: #","contributors":[{"name":"Ada","share":10000}]"#),
    manifest(more: #","contributors":[{"name":"Ada","share":9999},{"name":"Bo","share":1}]"#),
  ]
  #expect(Set(try texts.map { try Manifest(json: $0).id }).count == texts.count)
}

@Test(arguments: [
  "MIT", "CC0-1.0", "Apache-2.0 OR MIT", "GPL-2.0-only WITH Classpath-exception-2.0",
  "(MIT OR Apache-2.0) AND CC-BY-4.0",
  "LicenseRef-custom", "GPL-2.0+",
])
func anSPDXLicenceIsAccepted(_ licence: String) {
  #expect(code { _ = try Manifest(json: manifest(licence: licence)) } == nil)
}

@Test(arguments: [
  "", "unknown", "NOASSERTION", "none", "do what you want", "MIT OR", "OR MIT", "MIT MIT", "MIT  OR Apache-2.0",
  "MIT/X11",
  "1.0", "lizenz§", "()",
])
func aLicenceThatNobodyKnowsIsRefused(_ licence: String) {
  #expect(code { _ = try Manifest(json: manifest(licence: licence)) } == "invalid_manifest")
}

@Test(arguments: [
  "/etc/passwd", "../x", "a/../b", "a//b", "a/", "./a", "", "a\\\\b", "a\\u0000b", "a\\nb", "..",
])
func aPathThatIsNotPlainIsRefused(_ path: String) {
  let files = #"[{"path":"\#(path)","size":6,"sha256":"\#(helloHash)"}]"#
  #expect(code { _ = try Manifest(json: manifest(files: files)) } == "invalid_manifest")
}

@Test(arguments: [
  "[]", "{}", "[1]", #"[{"path":"a","size":6}]"#, #"[{"path":"a","size":-1,"sha256":"\#(helloHash)"}]"#,
  #"[{"path":"a","size":6.0,"sha256":"\#(helloHash)"}]"#, #"[{"path":"a","size":6,"sha256":"abc"}]"#,
  #"[{"path":"a","size":18446744073709551615,"sha256":"\#(helloHash)"}]"#,
  #"[{"path":"a","size":6,"sha256":"\#(helloHash)","mode":1}]"#,
  #"[{"path":"a","size":6,"sha256":"\#(helloHash)"},{"path":"a","size":6,"sha256":"\#(helloHash)"}]"#,
  #"[{"path":"a","size":6,"sha256":"é\#(helloHash.dropFirst(2))"}]"#,
])
func malformedFilesAreRefused(_ files: String) {
  #expect(code { _ = try Manifest(json: manifest(files: files)) } == "invalid_manifest")
}

@Test(arguments: ["", "[]", "null", "{}", #"{"name":"x"}"#, "\u{0}", String(repeating: "[", count: 9999)])
func whatIsNoManifestIsRefused(_ json: String) {
  #expect(code { _ = try Manifest(json: json) } == "invalid_manifest")
}

@Test func unknownKeysAndOddSourcesAreRefused() {
  #expect(code { _ = try Manifest(json: manifest(more: #","licnese":"x""#)) } == "invalid_manifest")
  for source in ["example.org", "ftp://example.org", "https://", "https:///x", "https://ex ample", "javascript:1"] {
    #expect(code { _ = try Manifest(json: manifest(source: source)) } == "invalid_manifest")
  }
}

@Test func sharesThatAreNotAWholeAreRefused() {
  for shares in [[9999], [5000, 5001], [10_001], [0]] {
    let list = shares.map { #"{"name":"A","share":\#($0)}"# }.joined(separator: ",")
    #expect(code { _ = try Manifest(json: manifest(more: #","contributors":[\#(list)]"#)) } == "invalid_manifest")
  }
}

@Test func aHugeManifestIsRefused() {
  let file = #"{"path":"f","size":6,"sha256":"\#(helloHash)"}"#
  let files = "[" + Array(repeating: file, count: 200_000).joined(separator: ",") + "]"
  #expect(code { _ = try Manifest(json: manifest(files: files)) } == "invalid_manifest")
}

@Test func randomDamageToAManifestNeverTraps() {
  let seed = UInt64.random(in: .min ... .max)
  print("manifest fuzz seed \(seed)")
  var state = seed
  let good = Array(manifest(more: #","contributors":[{"name":"Ada","share":10000}]"#).utf8)
  for _ in 0..<20_000 {
    var bytes = good
    for _ in 0..<3 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      bytes[Int(state >> 40) % bytes.count] = UInt8(truncatingIfNeeded: state >> 32)
    }
    _ = try? Manifest(json: String(decoding: bytes, as: UTF8.self))
  }
}

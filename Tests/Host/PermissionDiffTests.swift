import Host
import Testing

@Suite struct PermissionDiffTests {
  private func diff(_ old: [String], _ new: [String]) throws -> [String] {
    func read(_ texts: [String]) throws -> [Permission] {
      try texts.map { text throws(HostError) in try Permission(parsing: text) }
    }
    return PermissionDiff(try read(old), try read(new)).lines
  }

  @Test func whatIsNewIsShown() throws {
    #expect(try diff(["call:a.b"], ["call:a.b", "host:example.org"]) == ["+ host:example.org"])
    #expect(try diff([], ["memory:512"]) == ["+ memory:512"])
    #expect(try diff(["memory:256"], ["memory:512"]) == ["+ memory:512"])
    #expect(try diff(["call:a.*"], ["call:*"]) == ["+ call:*"])
  }

  @Test func whatIsCoveredAsksForNothing() throws {
    #expect(try diff(["call:*"], ["call:a.b"]) == [])
    #expect(try diff(["memory:512"], ["memory:256"]) == [])
    #expect(try diff(["read:/srv"], ["read:/srv/a"]) == [])
    #expect(try diff(["call:a.b"], ["call:a.b"]) == [])
  }

  @Test func whatIsGoneIsShown() throws {
    #expect(try diff(["call:a.b", "connect:80"], ["call:a.b"]) == ["- connect:80"])
    #expect(try diff(["read:/a"], ["write:/a"]) == ["+ write:/a", "- read:/a"])
  }
}

import EdgeCore
import Glibc
import Testing

@Suite struct TokenTests {
  /// A store in a folder of its own, which is removed.
  private func withFolder<R>(_ body: (String) async throws -> R) async throws -> R {
    var template = Array("/tmp/symbolon-tokens-XXXXXX".utf8CString)
    let folder = String(cString: try #require(mkdtemp(&template)))
    defer {
      for name in [TokenStore.fileName, TokenStore.fileName + ".new"] { unlink("\(folder)/\(name)") }
      rmdir(folder)
    }
    return try await body(folder)
  }

  @Test func aTokenIsFoundByItsSecretAndByNothingElse() async throws {
    try await withFolder { folder in
      let store = try TokenStore(folder: folder)
      let made = try store.create(name: "ci", methods: "ledger.*", expires: "never")
      #expect(made.secret.hasPrefix(TokenStore.prefix))
      #expect(store.find(made.secret)?.name == "ci")
      #expect(store.find(made.secret.dropLast() + "x") == nil)
      #expect(store.find(String(made.secret.dropLast())) == nil)
      #expect(store.find("") == nil)
      let file = try #require(fopen("\(folder)/\(TokenStore.fileName)", "r"))
      defer { fclose(file) }
      var bytes = [UInt8](repeating: 0, count: 65536)
      let count = fread(&bytes, 1, bytes.count, file)
      let text = String(decoding: bytes.prefix(count), as: UTF8.self)
      #expect(text.contains("ledger.*") && !text.contains(made.secret.dropFirst(TokenStore.prefix.count)))
      var status = stat()
      #expect(fstat(fileno(file), &status) == 0 && status.st_mode & 0o777 == 0o600)
    }
  }

  @Test func tokensSurviveARestartAndGenerationsSeeEachOthers() async throws {
    try await withFolder { folder in
      let old = try TokenStore(folder: folder)
      let made = try old.create(name: "ci", methods: "ledger.balance", expires: "1d")
      let new = try TokenStore(folder: folder)
      #expect(new.find(made.secret) == made.token)
      #expect(try new.revoke("ci") == made.token)
      #expect(old.find(made.secret) == nil, "what one generation revokes, the other no longer admits")
      #expect(throws: EdgeFailure.self) { try new.revoke("ci") }
    }
  }

  @Test func aDamagedFileIsRefusedRatherThanForgotten() async throws {
    try await withFolder { folder in
      let file = try #require(fopen("\(folder)/\(TokenStore.fileName)", "w"))
      fputs("[{", file)
      fclose(file)
      #expect(throws: EdgeFailure.self) { try TokenStore(folder: folder) }
    }
  }

  @Test func expiryHoldsToTheSecond() async throws {
    try await withFolder { folder in
      let clock = Locked<UInt64>(1000)
      let store = try TokenStore(folder: folder, now: { clock.withLock { $0 } })
      let made = try store.create(name: "short", methods: "*", expires: "60s")
      clock.withLock { $0 = 1059 }
      #expect(!store.isExpired(made.token))
      clock.withLock { $0 = 1060 }
      #expect(store.isExpired(made.token))
      // Its name is free again.
      _ = try store.create(name: "short", methods: "*", expires: "60s")
    }
  }

  @Test(arguments: [
    ("", "a.*", "1d"), ("n\n", "a.*", "1d"), ("n", "", "1d"), ("n", "ledger", "1d"), ("n", "a.*.b", "1d"),
    ("n", "A.b", "1d"), ("n", "a.b", "1"), ("n", "a.b", "d"), ("n", "a.b", "0d"), ("n", "a.b", "-1d"),
    ("n", "a.b", "99999999999999999999d"), ("n", "a.b", "forever"),
  ])
  func whatMakesNoSenseIsRefused(_ name: String, _ methods: String, _ expires: String) async throws {
    try await withFolder { folder in
      let store = try TokenStore(folder: folder)
      #expect(throws: EdgeFailure.self) { try store.create(name: name, methods: methods, expires: expires) }
      #expect(store.all.isEmpty)
    }
  }

  @Test func aTokenOpensOnlyWhatItNames() async throws {
    let fake = FakeDispatcher(methods: [
      "ledger.act": { call, write in
        #expect(call.origin == .operator)
        try write("{}")
      },
      "ledger.balance": { call, write in
        #expect(call.origin == .public)
        try write("{}")
      },
    ])
    try await withFolder { folder in
      let store = try TokenStore(folder: folder)
      let act = try store.create(name: "act", methods: "ledger.act", expires: "1d").secret
      let other = try store.create(name: "other", methods: "data.*, ledger.actor", expires: "1d").secret
      let gone = try store.create(name: "gone", methods: "*", expires: "1d").secret
      _ = try store.revoke("gone")
      try await RunningEdge.with(fake, tokens: store) { edge async throws in
        func ask(_ method: String, _ secret: String) async throws -> RawAnswer {
          try await edge.ask("POST", "/v1/methods/\(method)", ["authorization": "Bearer \(secret)"], body: "{}")
        }
        #expect(try await ask("ledger.act", act).status == 200)
        #expect(try await ask("ledger.balance", other).status == 200)
        let scope = try await ask("ledger.act", other)
        #expect(scope.status == 403 && scope.error?.code == "token_scope")
        #expect(scope.error?.message.contains("data.*") == true)
        let unknown = try await ask("ledger.act", gone)
        #expect(unknown.status == 401 && unknown.error?.code == "token_unknown")
      }
    }
  }

  @Test func noTokenOpensTheMakingOfTokens() throws {
    let token = ScopedToken(id: "1", name: "all", methods: ["*", "edge.*"], created: 0, expires: nil, sha256: "")
    #expect(token.opens("ledger.act"))
    for method in ScopedToken.reserved {
      #expect(!token.opens(method))
      #expect(Access.token(token).refusal(of: method).httpStatus == 403)
    }
    #expect(Access.operator.opens("edge.token_create"))
  }
}

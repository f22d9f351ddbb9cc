import CSodium
import FoundationEssentials

/// How the page looks; the policy that goes with it admits exactly this text and nothing else.
extension IndexPage {
  static let style = """
    :root{color-scheme:light dark;--ink:#1b1f24;--quiet:#59626d;--paper:#f6f7f8;--card:#fff;--line:#d8dde2;--link:#0a58b5;\
    --ok:#1a7f37;--bad:#b3261e}
    @media(prefers-color-scheme:dark){:root{--ink:#e6e9ec;--quiet:#9aa4af;--paper:#14171a;--card:#1d2125;--line:#343a41;\
    --link:#79b4ff;--ok:#4cc26b;--bad:#ff8a80}}
    *{box-sizing:border-box}
    body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:72rem;margin:0 auto;\
    padding:2rem 1rem}
    h1{font-size:1.6rem;margin:0}h2{font-size:1.1rem;margin:0;display:inline}
    p{margin:.3rem 0}small,.quiet{color:var(--quiet);font-weight:400}.quiet{font-size:.875rem}
    a{color:var(--link)}.ok{color:var(--ok)}.bad{color:var(--bad)}
    nav{display:flex;flex-wrap:wrap;gap:.3rem 1rem;margin:1rem 0 1.5rem}
    main{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,20rem),1fr));gap:1rem;align-items:start}
    section{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:1rem;min-width:0}
    section:has(details[open]){grid-column:1/-1}
    .facts{display:flex;flex-wrap:wrap;gap:0 1rem}.facts span{white-space:nowrap}
    .state{float:right;margin:0;font-size:.875rem}
    summary{cursor:pointer;color:var(--link);margin-top:.5rem;width:fit-content}
    dl{margin:.75rem 0 0;columns:24rem;column-gap:2rem}dl div{break-inside:avoid;padding-bottom:.75rem}dd{margin:0}
    code{font:.875em/1.4 ui-monospace,monospace;overflow-wrap:anywhere}
    .who{font-size:.75rem;border:1px solid var(--line);border-radius:1rem;padding:.05rem .5rem;color:var(--quiet)}
    .public{color:var(--ok)}
    footer{margin-top:1.5rem;border-top:1px solid var(--line);padding-top:.5rem}
    """

  /// Value of `content-security-policy`.
  static let policy: String = {
    let text = Array(style.utf8)
    var digest = [UInt8](repeating: 0, count: 32)
    crypto_hash_sha256(&digest, text, UInt64(text.count))
    return "default-src 'none'; style-src 'sha256-\(Data(digest).base64EncodedString())'; frame-ancestors 'none'; "
      + "base-uri 'none'; form-action 'none'"
  }()
}

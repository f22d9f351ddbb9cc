/// The page at `/`: layers, their states and methods, and whether all is well, in plain HTML that needs no script.
package enum IndexPage {
  /// - Parameter uptime: seconds that this edge has served.
  package static func html(_ catalog: Catalog, title: String, uptime: Int64 = 0) -> String {
    let declared = catalog.plugins.flatMap { $0.routes ?? [] }.filter { $0.verb == "GET" && !$0.path.contains("{") }
    let links = (["/openapi.json", "/health", "/metrics"] + declared.map(\.path)).map {
      "<a href=\"\(escape($0))\">\(escape($0))</a>"
    }
    return """
      <!doctype html>
      <html lang="en">
      <head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
      <meta name="color-scheme" content="light dark"><title>\(escape(title))</title>
      <style>\(style)</style></head>
      <body>
      <header><h1>\(escape(title))</h1><p>\(verdict(catalog))</p>
      <p class="quiet">Symbolon \(escape(catalog.host.version)) · serving for \(duration(uptime))</p></header>
      <nav>\(links.joined(separator: "\n"))</nav>
      <main>
      \(catalog.plugins.map(card).joined(separator: "\n"))
      </main>
      <footer class="quiet"><p>Call a method with <code>POST /v1/methods/&lt;layer&gt;.&lt;method&gt;</code> and a JSON
      object, or run <code>symbolon &lt;layer&gt; &lt;method&gt;</code> on the node. Chat at
      <code>/v1/chat/completions</code> with any OpenAI client. This page is of the moment it was loaded.</p></footer>
      </body></html>

      """
  }

  /// One sentence on the health of all layers.
  private static func verdict(_ catalog: Catalog) -> String {
    let unwell = catalog.plugins.filter { !$0.isWell }
    guard !unwell.isEmpty else {
      let count = catalog.plugins.count
      return "<b class=\"ok\">●</b> \(count == 1 ? "The only layer runs." : "All \(count) layers run.")"
    }
    return "<b class=\"bad\">▲</b> Not well: \(unwell.map { escape($0.id) }.joined(separator: ", "))."
  }

  private static func card(_ layer: Catalog.Layer) -> String {
    let calls = layer.methods.compactMap(\.calls).reduce(0) { $0 &+ $1 }
    let errors = layer.methods.compactMap(\.errors).reduce(0) { $0 &+ $1 }
    let home = layer.home.map { "\($0) process" }
    let facts = [
      layer.generation.map { "generation \($0)" }, home, plural(calls, "call"),
      plural(errors, "error"),
    ]
    let mark = layer.isWell ? "<b class=\"ok\">●</b>" : "<b class=\"bad\">▲</b>"
    return """
      <section><h2>\(escape(layer.id)) <small>\(escape(layer.version))</small></h2>
      <p class="state">\(mark) \(escape(layer.state ?? "running"))</p>
      <p>\(escape(layer.summary))</p>
      <p class="quiet facts">\(facts.compactMap { $0 }.map { "<span>\(escape($0))</span>" }.joined(separator: "\n"))</p>
      <details><summary>\(plural(UInt64(layer.methods.count), "method"))</summary>
      <dl>\(layer.methods.map { row($0) }.joined(separator: "\n"))</dl></details></section>
      """
  }

  private static func row(_ method: Catalog.Method) -> String {
    let who = method.isTransition ? "transaction" : method.isPublic ? "public" : "operator"
    let counts = method.calls.map { calls in
      calls == 0 ? "" : " <span class=\"quiet\">\(number(calls))× · \(plural(method.errors ?? 0, "error"))</span>"
    }
    return "<div><dt><code>\(breakable(method.signature))</code></dt><dd><span class=\"who \(who)\">\(who)</span> "
      + "\(escape(method.summary))\(counts ?? "")</dd></div>"
  }

  /// A signature that a narrow window may break where a reader would.
  private static func breakable(_ signature: String) -> String {
    escape(signature).replacing("(", with: "(<wbr>").replacing("_", with: "_<wbr>")
  }

  private static func plural(_ count: UInt64, _ noun: String) -> String {
    "\(number(count)) \(noun)\(count == 1 ? "" : "s")"
  }

  /// As in `12 345`.
  private static func number(_ value: UInt64) -> String {
    var out = ""
    let digits = String(value)
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index) % 3 == 0 { out += "\u{202F}" }
      out.append(digit)
    }
    return out
  }

  private static func duration(_ seconds: Int64) -> String {
    switch seconds {
    case ..<120: "\(seconds) s"
    case ..<7200: "\(seconds / 60) min"
    case ..<172_800: "\(seconds / 3600) h"
    default: "\(seconds / 86_400) days"
    }
  }

  /// Text that is safe in HTML, in an attribute too.
  package static func escape(_ text: String) -> String {
    var out = ""
    for character in text.unicodeScalars {
      switch character {
      case "&": out += "&amp;"
      case "<": out += "&lt;"
      case ">": out += "&gt;"
      case "\"": out += "&quot;"
      case "'": out += "&#39;"
      default: out.unicodeScalars.append(character)
      }
    }
    return out
  }
}

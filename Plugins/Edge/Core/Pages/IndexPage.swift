/// The page at `/`: what this node is, in plain HTML that needs no script.
package enum IndexPage {
  package static func html(_ catalog: Catalog, title: String) -> String {
    let rows = catalog.plugins.map { layer in
      "<tr><td>\(escape(layer.id))</td><td>\(escape(layer.version))</td><td>\(escape(layer.summary))</td>"
        + "<td>\(layer.methods.count)</td></tr>"
    }
    let declared = catalog.plugins.flatMap { $0.routes ?? [] }.filter { $0.verb == "GET" && !$0.path.contains("{") }
    let links = (["/openapi.json", "/health", "/metrics"] + declared.map(\.path)).map {
      "<a href=\"\(escape($0))\">\(escape($0))</a>"
    }
    return """
      <!doctype html>
      <html lang="en">
      <head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>\(escape(title))</title>
      <style>body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:3rem auto;padding:0 1rem}
      table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ccc}
      </style></head>
      <body>
      <h1>\(escape(title))</h1>
      <p>A Symbolon node, version \(escape(catalog.host.version)).</p>
      <table><thead><tr><th>Layer</th><th>Version</th><th>What it does</th><th>Methods</th></tr></thead>
      <tbody>
      \(rows.joined(separator: "\n"))
      </tbody></table>
      <p>\(links.joined(separator: " · "))</p>
      </body></html>

      """
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

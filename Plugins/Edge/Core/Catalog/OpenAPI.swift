/// Writes the OpenAPI 3.1 document of all methods and declared routes.
package enum OpenAPI {
  /// The document as JSON.
  package static func document(_ catalog: Catalog, title: String) -> String {
    var paths: [(String, String)] = []
    for layer in catalog.plugins {
      for method in layer.methods {
        paths.append(("/v1/methods/\(layer.id).\(method.name)", JSONText.object([("post", operation(layer, method))])))
      }
    }
    paths += declared(catalog)
    paths.append(
      ("/health", JSONText.object([("get", own("health", "Say whether the node serves", "application/json"))])))
    paths.append(("/metrics", JSONText.object([("get", own("metrics", "Figures for Prometheus", "text/plain"))])))
    let tags = catalog.plugins.map {
      JSONText.object([("name", JSONText.string($0.id)), ("description", JSONText.string($0.summary))])
    }
    return JSONText.object([
      ("openapi", "\"3.1.0\""),
      (
        "info",
        JSONText.object([
          ("title", JSONText.string(title)), ("version", JSONText.string(catalog.host.version)),
          (
            "description",
            JSONText.string(
              "Every method of every layer of this node, derived from its signature. In JSON, `bytes` are lower-case "
                + "hexadecimal and 64-bit integers are numbers.")
          ),
        ])
      ),
      ("tags", JSONText.array(tags)),
      ("paths", JSONText.object(paths)),
      ("components", components),
    ])
  }

  private static func operation(_ layer: Catalog.Layer, _ method: Catalog.Method) -> String {
    var members: [(String, String)] = [
      ("operationId", JSONText.string("\(layer.id).\(method.name)")),
      ("tags", JSONText.array([JSONText.string(layer.id)])),
      ("summary", JSONText.string(method.summary)),
      ("description", JSONText.string(description(method))),
      ("requestBody", requestBody(method)),
    ]
    if method.isTransition {
      members.append(("x-symbolon-transition", "true"))
      members.append(("responses", JSONText.object([("400", errorReference), ("default", errorReference)])))
      return JSONText.object(members)
    }
    members.append(
      ("responses", JSONText.object([("200", answer(method)), ("400", errorReference), ("default", errorReference)])))
    members.append(("security", method.isPublic ? "[]" : "[{\"operatorToken\":[]}]"))
    return JSONText.object(members)
  }

  private static func description(_ method: Catalog.Method) -> String {
    let signature = "`\(method.signature)`"
    if method.isTransition {
      return signature + " Changes ledger state: it runs only in a signed transaction. Prepare the bytes to sign with "
        + "`ledger.prepare`, sign them with Ed25519, send them with `ledger.submit`."
    }
    return method.isPublic ? signature : signature + " Needs the operator's token."
  }

  private static func requestBody(_ method: Catalog.Method) -> String {
    let required = method.parameters.filter { $0.default == nil }.map { JSONText.string($0.name) }
    var schema: [(String, String)] = [
      ("type", "\"object\""),
      ("properties", JSONText.object(method.parameters.map { ($0.name, self.schema($0.type, default: $0.default)) })),
      ("additionalProperties", "false"),
    ]
    if !required.isEmpty { schema.append(("required", JSONText.array(required))) }
    return JSONText.object([
      ("required", required.isEmpty ? "false" : "true"),
      ("content", content("application/json", JSONText.object(schema))),
    ])
  }

  private static func answer(_ method: Catalog.Method) -> String {
    guard method.isStream, let stream = method.results.last else {
      let schema = JSONText.object([
        ("type", "\"object\""),
        ("properties", JSONText.object(method.results.map { ($0.name, self.schema($0.type, default: nil)) })),
        ("required", JSONText.array(method.results.map { JSONText.string($0.name) })),
      ])
      return JSONText.object([
        ("description", "\"The results by name\""), ("content", content("application/json", schema)),
      ])
    }
    let item = schema(String(stream.type.dropFirst("stream<".count).dropLast()), default: nil)
    let content = JSONText.object([
      ("application/x-ndjson", JSONText.object([("schema", item)])),
      ("text/event-stream", JSONText.object([("schema", "{\"type\":\"string\"}")])),
    ])
    return JSONText.object([
      ("description", JSONText.string("One JSON value a line; or server-sent events that end with `data: [DONE]`")),
      ("content", content),
    ])
  }

  private static func declared(_ catalog: Catalog) -> [(String, String)] {
    var order: [String] = []
    var byPath: [String: [(String, String)]] = [:]
    for layer in catalog.plugins {
      for route in layer.routes ?? [] {
        let verb = route.verb.lowercased()
        guard ["get", "put", "post", "delete", "options", "head", "patch", "trace"].contains(verb) else { continue }
        if byPath[route.path] == nil { order.append(route.path) }
        if byPath[route.path, default: []].contains(where: { $0.0 == verb }) { continue }
        byPath[route.path, default: []].append((verb, operation(layer, route, verb: verb)))
      }
    }
    return order.map { ($0, JSONText.object(byPath[$0] ?? [])) }
  }

  private static func operation(_ layer: Catalog.Layer, _ route: Catalog.Route, verb: String) -> String {
    let words = route.path.split { !$0.isASCII || !($0.isLetter || $0.isNumber) }
    let summary = layer.methods.first { $0.name == route.method }?.summary ?? layer.summary
    var members: [(String, String)] = [
      ("operationId", JSONText.string(([layer.id, verb] + words.map(String.init)).joined(separator: "_"))),
      ("tags", JSONText.array([JSONText.string(layer.id)])),
      ("summary", JSONText.string(summary)),
    ]
    let parameters = route.path.split(separator: "/").filter { $0.hasPrefix("{") && $0.hasSuffix("}") }.map {
      "{\"name\":\(JSONText.string($0.dropFirst().dropLast())),\"in\":\"path\",\"required\":true,"
        + "\"schema\":{\"type\":\"string\"}}"
    }
    if !parameters.isEmpty { members.append(("parameters", JSONText.array(parameters))) }
    if ["post", "put", "patch"].contains(verb) {
      members.append(("requestBody", JSONText.object([("content", content("application/json", "{}"))])))
    }
    let response = JSONText.object([
      ("description", "\"The layer's answer\""), ("content", content("application/json", "{}")),
    ])
    members.append(("responses", JSONText.object([("200", response), ("default", errorReference)])))
    members.append(("security", "[{\"ticketKey\":[]},{}]"))
    return JSONText.object(members)
  }

  private static func own(_ id: String, _ summary: String, _ type: String) -> String {
    let schema = type == "application/json" ? "{\"type\":\"object\"}" : "{\"type\":\"string\"}"
    let response = JSONText.object([("description", JSONText.string(summary)), ("content", content(type, schema))])
    return JSONText.object([
      ("operationId", JSONText.string("edge.\(id)_page")), ("summary", JSONText.string(summary)),
      ("responses", JSONText.object([("200", response)])), ("security", "[]"),
    ])
  }

  private static func content(_ type: String, _ schema: String) -> String {
    JSONText.object([(type, JSONText.object([("schema", schema)]))])
  }

  /// The JSON Schema of a signature's type.
  private static func schema(_ type: String, default value: DefaultValue?) -> String {
    var members: [(String, String)]
    switch type {
    case "bool": members = [("type", "\"boolean\"")]
    case "i32": members = [("type", "\"integer\""), ("format", "\"int32\"")]
    case "u32": members = [("type", "\"integer\""), ("minimum", "0"), ("maximum", "4294967295")]
    case "i64": members = [("type", "\"integer\""), ("format", "\"int64\"")]
    case "u64": members = [("type", "\"integer\""), ("minimum", "0"), ("maximum", "18446744073709551615")]
    case "f64": members = [("type", "\"number\""), ("format", "\"double\"")]
    case "text": members = [("type", "\"string\"")]
    case "bytes":
      members = [("type", "\"string\""), ("pattern", "\"^([0-9a-f]{2})*$\""), ("description", "\"Hexadecimal\"")]
    default: members = [("description", "\"Any JSON value\"")]
    }
    if let value { members.append(("default", value.json)) }
    return JSONText.object(members)
  }

  private static let errorReference = "{\"$ref\":\"#/components/responses/Error\"}"

  private static let components = """
    {"securitySchemes":{"operatorToken":{"type":"http","scheme":"bearer","description":"The content of operator.token \
    in the edge's storage folder"},"ticketKey":{"type":"http","scheme":"bearer","description":"A key of this node, as \
    in sk-sym-…"}},"schemas":{"Error":{"type":"object","required":["error"],"properties":{"error":{"type":"object",\
    "required":["message","type","param","code"],"properties":{"message":{"type":"string"},"type":{"type":"string"},\
    "param":{"type":["string","null"]},"code":{"type":["string","null"]}}}}}},"responses":{"Error":{"description":\
    "Why it failed and what to do","content":{"application/json":{"schema":{"$ref":"#/components/schemas/Error"}}}}}}
    """
}

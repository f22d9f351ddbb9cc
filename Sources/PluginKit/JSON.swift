import FoundationEssentials

/// A JSON text that is carried as it is.
public struct JSON: Sendable, Hashable, CustomStringConvertible {
  /// UTF-8 JSON.
  public var text: String

  /// Wraps a text that already is JSON.
  public init(text: String) { self.text = text }

  /// Encodes a value: keys sorted, slashes plain.
  public init(_ value: some Encodable) throws(Failure) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      text = String(decoding: try encoder.encode(value), as: UTF8.self)
    } catch {
      throw Failure(.internal, "json_encoding", "A result could not be written as JSON: \(error).")
    }
  }

  /// Decodes the text; a mismatch names the place.
  public func decode<T: Decodable>(_ type: T.Type = T.self) throws(Failure) -> T {
    do {
      return try JSONDecoder().decode(type, from: Data(text.utf8))
    } catch let error as DecodingError {
      throw Failure(.invalidArgument, "invalid_json", "\(JSON.sentence(for: error))")
    } catch {
      throw Failure(.invalidArgument, "invalid_json", "This is not the JSON that was expected: \(error).")
    }
  }

  /// The text.
  public var description: String { text }

  private static func sentence(for error: DecodingError) -> String {
    func place(_ path: [any CodingKey]) -> String {
      path.isEmpty ? "the top" : path.map(\.stringValue).joined(separator: ".")
    }
    switch error {
    case .keyNotFound(let key, let context):
      return "JSON: `\(key.stringValue)` is missing at \(place(context.codingPath))."
    case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
      return "JSON at \(place(context.codingPath)): \(context.debugDescription)"
    @unknown default:
      return "This is not the JSON that was expected."
    }
  }
}

import Foundation
import InferenceCore

/// Writes the tokens of texts to standard output and ends the program: tests hold them against other implementations.
///
/// `texts` is a file with one text a line, UTF-8 in hexadecimal. For each text one line: its tokens as plain text, its
/// tokens where control tokens are recognised, and the bytes of the first in hexadecimal, between tabs.
func writeTokens(_ tokenizer: Tokenizer, texts: String) throws -> Never {
  var output = ""
  for line in try String(contentsOfFile: texts, encoding: .utf8).split(
    separator: "\n", omittingEmptySubsequences: false)
  {
    let digits = Array(line.utf8)
    let bytes = stride(from: 0, to: digits.count - 1, by: 2).map {
      UInt8(String(decoding: digits[$0..<$0 + 2], as: UTF8.self), radix: 16) ?? 0
    }
    let text = String(decoding: bytes, as: UTF8.self)
    let plain = tokenizer.encode(text)
    let special = tokenizer.encode(text, authored: true)
    let decoded = tokenizer.decode(plain).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
    output += [plain, special].map { $0.map(String.init).joined(separator: " ") }.joined(separator: "\t")
    output += "\t" + decoded.joined() + "\n"
  }
  FileHandle.standardOutput.write(Data(output.utf8))
  exit(0)
}

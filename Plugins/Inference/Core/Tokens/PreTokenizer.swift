/// Cuts text into the words that byte-pair encoding may not cross: the rules of llama.cpp, by the names it gives them.
///
/// Each rule is a pipeline: a stage cuts every piece that the stages before it left. llama.cpp runs regular
/// expressions; these are the same expressions written out, so that they take time in proportion to the text.
struct PreTokenizer: Sendable {
  /// One way of cutting.
  enum Stage: Sendable {
    /// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
    case gpt2
    /// `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,n}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|` and
    /// spaces as in GPT-2.
    case llama(digits: Int)
    /// Words that begin anew with a capital, `[\r\n/]*` after punctuation, and perhaps contractions within words.
    case cased(digits: Int, contractions: Bool)
    /// Every character of a set on its own.
    case each(CharacterSet)
    /// Runs of a set.
    case runs(CharacterSet)
    /// Runs of a set with one space before them.
    case spacedRuns(CharacterSet)
    /// `[0-9][0-9][0-9]`
    case triples
  }

  /// Sets that stages name.
  enum CharacterSet: Sendable {
    case letters, numbers, newlines, punctuation, punctuationAndOperators, falconPunctuation, cjk
  }

  let stages: [Stage]
  /// A word that is a token is that token, whatever the merges say.
  let takesWholeWords: Bool
  /// Whether texts begin with the begin token where the file does not say.
  let addsBegin: Bool

  private init(_ stages: [Stage], wholeWords: Bool = false, addsBegin: Bool = false) {
    self.stages = stages
    takesWholeWords = wholeWords
    self.addsBegin = addsBegin
  }

  /// The rule that a file names in `tokenizer.ggml.pre`, or nil if this engine does not know it.
  init?(named name: String) {
    switch name {
    case "default": self.init([.runs(.punctuationAndOperators), .gpt2, .runs(.numbers), .triples])
    case "gpt-2", "phi-2", "mpt", "olmo", "jais", "gigachat", "roberta-bpe", "jina-es", "jina-de", "jina-v1-en",
      "jina-v2-es", "jina-v2-de", "jina-v2-code", "a.x-4.0", "mellum", "modern-bert", "exaone4", "trillion",
      "granite-docling":
      self.init([.gpt2])
    case "smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b":
      self.init([.each(.numbers), .gpt2])
    case "llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2":
      self.init([.llama(digits: 3)], wholeWords: true, addsBegin: true)
    case "dbrx", "smaug-bpe", "glm4", "chatglm-bpe": self.init([.llama(digits: 3)])
    case "qwen2", "deepseek-r1-qwen", "kormo", "stablelm2", "megrez", "hunyuan", "grok-2", "solar-open":
      self.init([.llama(digits: 1)])
    case "tekken": self.init([.cased(digits: 1, contractions: false)], wholeWords: true, addsBegin: true)
    case "gpt-4o", "llama4", "kanana2": self.init([.cased(digits: 3, contractions: true)])
    case "falcon": self.init([.runs(.falconPunctuation), .gpt2, .triples])
    case "deepseek-coder":
      self.init([
        .each(.newlines), .spacedRuns(.letters), .spacedRuns(.punctuation), .runs(.cjk), .each(.numbers),
      ])
    default: return nil
    }
  }

  /// The words of a text, in order; together they are the text.
  func words(_ scalars: [Unicode.Scalar]) -> [Range<Int>] {
    let cutter = WordCutter(scalars)
    return stages.reduce([0..<scalars.count]) { pieces, stage in
      var words: [Range<Int>] = []
      words.reserveCapacity(pieces.count)
      for piece in pieces { cutter.cut(piece, by: stage, into: &words) }
      return words
    }
  }
}

// Measures the engine and prints one JSON line a figure.
//
//   EngineBench --model PATH [--threads N] [--repeat N] [--figures NAME,...]
//   EngineBench --model PATH [--threads N] --logits TEXTS    writes logits instead: Logits.swift
//   EngineBench --model PATH --tokens TEXTS                  writes tokens instead: Tokens.swift
//
// decode     engine.decode.<type>.t<N>: tokens a second, 128 greedy tokens after a prompt of 16
// prefill    engine.prefill512.<type>.t<N>: tokens a second, one prompt of 512 tokens
// ttft       engine.ttft: milliseconds from text to first token: tokenise, read the prompt, choose
// receipts   engine.receipt_cost, engine.replay_ratio: Receipts.swift
// memory     engine.memory.t<N>: gigabytes a second read from memory: Memory.swift
// residence  engine.rss_above_file_mb: Memory.swift; right only in a process that measures nothing else
// batch8     engine.batch8: tokens a second of eight chats at once: Batch.swift
//
// Without --figures the first four. `engine_peer.py` measures the same with llama.cpp.
import Foundation
import InferenceCore

struct Arguments {
  var model = ""
  var threads = 1
  var repeats = 5
  var texts: String?
  /// Texts whose tokens are wanted.
  var lines: String?
  var figures: Set<String> = ["decode", "prefill", "ttft", "receipts"]

  init(_ words: [String]) {
    var rest = words[...]
    while let name = rest.popFirst(), let value = rest.popFirst() {
      switch name {
      case "--model": model = value
      case "--threads": threads = Int(value) ?? 1
      case "--repeat": repeats = Int(value) ?? 5
      case "--logits": texts = value
      case "--tokens": lines = value
      case "--figures": figures = Set(value.split(separator: ",").map(String.init))
      default: print("unknown argument \(name)")
      }
    }
  }
}

/// The prompt of `engine.ttft`: what a first chat message looks like, about 130 tokens.
let question =
  "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
  + "<|im_start|>user\nI keep a small garden on a balcony that faces north, and most of what I plant there grows "
  + "tall and thin and never flowers. I water it every second day and use fertiliser once a month. Which vegetables "
  + "and herbs do well with little sun, when should I sow them, and what should I change about how I water the pots? "
  + "Please answer in a short list with one sentence for each plant, and say which one to try first.<|im_end|>\n"
  + "<|im_start|>assistant\n"

func median(_ values: [Double]) -> Double {
  let sorted = values.sorted()
  return sorted.isEmpty ? 0 : sorted[sorted.count / 2]
}

func seconds(_ body: () throws -> Void) rethrows -> Double {
  let duration = try ContinuousClock().measure(body)
  return Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
}

func greatest(_ logits: UnsafeBufferPointer<Float>) -> Int32 {
  var best = 0
  for index in logits.indices where logits[index] > logits[best] { best = index }
  return Int32(best)
}

func report(_ name: String, _ value: Double, _ unit: String, _ count: Int) {
  print("{\"name\":\"\(name)\",\"value\":\((value * 100).rounded() / 100),\"unit\":\"\(unit)\",\"median_of\":\(count)}")
}

func read(_ session: Session, _ tokens: [Int32], _ cache: SequenceCache, from start: Int = 0) throws -> Int32 {
  var next: Int32 = 0
  var position = start
  while position < start + tokens.count {
    let end = min(position + Session.mostColumns, start + tokens.count)
    let logits = try session.step(
      (position..<end).map {
        Session.Column(
          token: tokens[$0 - start], position: $0, cache: cache, wantsLogits: $0 == start + tokens.count - 1)
      })
    if !logits.isEmpty { next = greatest(logits) }
    position = end
  }
  return next
}

/// The figures of one session of a model, measured in turns.
func measureSession(_ arguments: Arguments) throws {
  let pool = try WorkerPool(threads: arguments.threads)
  var loaded: Model?
  let loading = try seconds { loaded = try Model(path: arguments.model, pool: pool) }
  guard let model = loaded else { fatalError("unreachable: loading either throws or gives a model") }
  if let texts = arguments.texts { try writeLogits(model, pool, texts: texts) }
  report("engine.load", loading * 1000, "ms", 1)
  let session = try Session(model, pool: pool, logitRows: 1)
  if arguments.figures.contains("residence") { return try reportResidence(session, model) }

  let kind = model.quantization.lowercased()
  let prompt = (0..<512).map { Int32(1000 + $0 * 37 % 40000) }
  var measured: [String: [Double]] = [:]
  var receipts = ReceiptFigures(session, model, prompt: prompt)
  var memory = arguments.figures.contains("memory") ? MemoryFigures(pool) : nil
  for round in 0...arguments.repeats {
    let cache = try SequenceCache(model, positions: 1024)
    var values: [String: Double] = [:]
    if arguments.figures.contains("prefill") {
      values["prefill"] = 512 / (try seconds { _ = try read(session, prompt, cache) })
    }
    if arguments.figures.contains("decode") {
      var token = try read(session, Array(prompt.prefix(16)), cache)
      let writing = try seconds {
        for position in 16..<144 { token = try read(session, [token], cache, from: position) }
      }
      values["decode"] = 128 / writing
    }
    if arguments.figures.contains("ttft") {
      let answering = try seconds {
        _ = try read(session, model.tokenizer.encode(question, authored: true), cache)
      }
      values["ttft"] = answering * 1000
    }
    if arguments.figures.contains("receipts") { try receipts.round(keep: round > 0) }
    memory?.round(keep: round > 0)
    // The first round warms up.
    if round > 0 { for (name, value) in values { measured[name, default: []].append(value) } }
  }
  let names = [
    "decode": ("engine.decode.\(kind).t\(arguments.threads)", "tok/s"),
    "prefill": ("engine.prefill512.\(kind).t\(arguments.threads)", "tok/s"), "ttft": ("engine.ttft", "ms"),
  ]
  for (figure, (name, unit)) in names {
    if let values = measured[figure] { report(name, median(values), unit, values.count) }
  }
  if arguments.figures.contains("receipts") { receipts.report(threads: arguments.threads) }
  memory?.report(threads: arguments.threads)
}

func measureBatch(_ arguments: Arguments) throws {
  let batch = try BatchFigures(arguments)
  defer { batch.close() }
  _ = try batch.round()
  let rates = try (0..<arguments.repeats).map { _ in try batch.round() }
  report("engine.batch8", median(rates), "tok/s", rates.count)
}

let arguments = Arguments(Array(CommandLine.arguments.dropFirst()))
do {
  if let lines = arguments.lines {
    try writeTokens(Tokenizer(GGUFFile(MappedFile(arguments.model))), texts: lines)
  }
  if arguments.figures.contains("batch8") { try measureBatch(arguments) }
  if arguments.figures != ["batch8"] { try measureSession(arguments) }
} catch {
  FileHandle.standardError.write(Data("EngineBench: \(error)\n".utf8))
  exit(1)
}

/// Everything about one answer that a receipt is made of.
package struct AnswerRecord: Sendable {
  package var model: InferenceEngine.Description
  /// The tokens that the model read.
  package var prompt: [Int32]
  /// The tokens that were chosen, with the one that ended the answer if one came.
  package var output: [Int32]
  package var request: GenerationRequest
  package var finish: GenerationEvent.FinishReason
  /// 32 bytes for each position that was fed: prompt, and output without its last.
  package var leaves: [UInt8]
}

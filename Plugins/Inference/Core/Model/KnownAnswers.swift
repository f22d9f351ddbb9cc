import InferenceKernels

/// The test of the kernels at every start: whoever computes otherwise must not answer.
package enum KnownAnswers {
  /// The name of the first operation of an instruction set that does not give its known answer, or of the instruction
  /// set itself where the machine lacks it; nil when all is well.
  package static func failure(_ path: Int32) -> String? { symbolon_self_test(path).map { String(cString: $0) } }

  /// Why an engine with that failure serves nothing.
  package static func refusal(_ failure: String, _ path: Int32) -> InferenceError {
    InferenceError(
      .unavailable, "self_test_failed",
      "This node does not answer: its kernels for \(InstructionSet.name(path)) fail the known-answer test "
        + "(\(failure)). Its processor or memory is faulty, or the build is: "
        + "try `isa`, another build or another machine."
    )
  }
}

/// What commands make of `prompt`, `messages` and `chat`.
enum CommandPrompt {
  /// The members of a request: with `chat`, its prompt is the message of a user.
  static func members(_ members: [JSONValue.Member], isChat: Bool) throws(InferenceError) -> [JSONValue.Member] {
    guard isChat else { return members }
    guard let prompt = members.first(where: { $0.name == "prompt" })?.value.string,
      !members.contains(where: { $0.name == "messages" })
    else { throw GenerationRequest.wrong("chat", "makes a message of `prompt`, so give that and no `messages`") }
    let message = JSONValue.object([.init("role", "user"), .init("content", .string(prompt))])
    return members.filter { $0.name != "prompt" } + [.init("messages", .array([message]))]
  }
}

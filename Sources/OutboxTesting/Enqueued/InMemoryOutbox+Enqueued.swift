public import Outbox

extension InMemoryOutbox {
    /// What was enqueued and committed, delivered or not, by id.
    ///
    /// ```swift
    /// let welcome = try outbox.enqueued(for: .mail, route: "welcome").only()
    /// #expect(welcome.text == "Hello Ada")
    /// ```
    ///
    /// - Parameters:
    ///   - destination: For that destination; nil: for any.
    ///   - route: With that route; nil: with any or none.
    ///   - key: With that key; nil: with any or none.
    public func enqueued(
        for destination: Destination? = nil, route: String? = nil, key: String? = nil
    ) -> EnqueuedMessages {
        let messages = self.withState { state, _ in state.all }
            .filter { stored in
                let message = stored.content
                return (destination == nil || message.destination == destination)
                    && (route == nil || message.route == route) && (key == nil || message.key == key)
            }
            .map { EnqueuedMessage(id: $0.id, createdAt: $0.createdAt.date, message: $0.content) }
        var question = ["for \(destination?.name ?? "any destination")"]
        if let route { question.append("with route \(route)") }
        if let key { question.append("with key \(key)") }
        return EnqueuedMessages(messages, question: question.joined(separator: " "))
    }
}

import CRdKafka

/// Whether the topic of all messages is there and may be written, found out before there is a message.
struct TopicCheck: Sendable {
    typealias Instant = ContinuousClock.Instant

    /// The topic that is still to be looked for; nil: there is none, or it has been found or given up.
    private(set) var topic: String?
    private let patience: Duration
    private var firstRefusal: Instant?
    private var attempts = 0

    /// How often a broker is asked at most: each time, reports wait for the answer.
    private static let maximumAttempts = 40

    /// - Parameter patience: How long it may be unknown. Brokers that create topics when they are asked for take a part of it.
    init(topic: String?, patience: Duration) {
        self.topic = topic
        self.patience = patience
    }

    /// A broker has answered, or has not.
    ///
    /// - Returns: What is to be said; nil: nothing, or nothing yet.
    mutating func note(_ defect: rd_kafka_resp_err_t?, now: Instant) -> String? {
        guard let defect, let topic else {
            self.topic = nil
            return nil
        }
        self.attempts += 1
        guard ReportMeaning(defect) == .topicRefused else {
            if self.attempts >= Self.maximumAttempts { self.topic = nil }
            return nil
        }
        let since = self.firstRefusal ?? now
        self.firstRefusal = since
        if now - since < self.patience { return nil }
        self.topic = nil
        return "the topic “\(topic)”: \(errorText(defect))"
    }
}

import Outbox
import OutboxRuntime

extension PubSubConfiguration {
    /// The longest time that can be given.
    private static let longestTime = Duration.seconds(86_400)

    /// What cannot be used, or does not go together; nil: all can. Reads no file.
    var defect: String? {
        if let defect = ResourceName.defect(ofProject: self.project) { return defect }
        if let topic = self.topic.constant, let defect = ResourceName.defect(ofTopic: topic) { return defect }
        if let defect = self.attributeDefect { return defect }
        for (name, time) in [("timeout", self.delivery.timeout), ("connect_timeout", self.delivery.connectTimeout)] {
            guard time > .zero, time <= Self.longestTime else {
                return "“\(name)” is a time such as 30s, 500ms or 2m, up to a day"
            }
        }
        guard (1...ServiceLimits.messages).contains(self.delivery.messagesPerRequest) else {
            return "“messages_per_request” is a number from 1 to \(ServiceLimits.messages)"
        }
        guard (1000...ServiceLimits.requestBytes).contains(self.delivery.bytesPerRequest) else {
            return "a request has from 1,000 to \(ServiceLimits.requestBytes) bytes"
        }
        guard (1...10_000).contains(self.delivery.requestsInFlight) else {
            return "“requests_in_flight” is a number from 1 to 10000"
        }
        return nil
    }

    private var attributeDefect: String? {
        var seen: Set<String> = []
        for name in self.attributes.names {
            // It may have more of an address in it, behind an ampersand that was left out.
            if let defect = AttributeRules.defect(ofName: name) {
                return Redaction.isWhole(name) ? defect : "the name of an attribute cannot be used"
            }
            if !seen.insert(name).inserted { return "two attributes have one name" }
        }
        return nil
    }
}

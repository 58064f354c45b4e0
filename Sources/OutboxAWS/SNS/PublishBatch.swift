import Outbox
import OutboxRuntime

/// Publishes up to 10 messages to a topic. Its protocol is older than the others': a form is answered in XML.
///
/// https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html
struct PublishBatch: EntryAction {
    typealias Entry = SNSEntry

    let configuration: SNSConfiguration
    let region: String

    var operation: String { "PublishBatch" }
    var targetKind: String { "topic" }
    var packer: RequestPacker {
        RequestPacker(maximumCount: 10, maximumBytes: self.configuration.maximumMessageSize)
    }
    var hasFixedTarget: Bool { !self.configuration.topic.variesWithinDestination }

    func entry(for message: Message) throws(MessageRefusal) -> SNSEntry {
        try SNSEntry(message, self.configuration, region: self.region)
    }

    func body(of entries: [SNSEntry], address: String) -> [UInt8] {
        var form = Self.form("PublishBatch", [("TopicArn", address)])
        for (number, entry) in entries.enumerated() {
            let prefix = "&PublishBatchRequestEntries.member.\(number + 1)."
            func add(_ name: String, _ value: String?) {
                if let value { form += prefix + name + "=" + FormText.encoded(value) }
            }
            add("Id", entry.id(number))
            add("Message", entry.body)
            add("MessageGroupId", entry.group)
            add("MessageDeduplicationId", entry.deduplicationID)
            for (place, attribute) in entry.attributes.enumerated() {
                let member = "MessageAttributes.entry.\(place + 1)."
                add(member + "Name", attribute.name)
                add(member + "Value.DataType", "String")
                add(member + "Value.StringValue", attribute.value)
            }
        }
        return Array(form.utf8)
    }

    /// An operation with values.
    static func form(_ operation: String, _ values: [(name: String, value: String)]) -> String {
        values.reduce("Action=\(operation)&Version=2010-03-31") { "\($0)&\($1.name)=\(FormText.encoded($1.value))" }
    }

    func results(in body: [UInt8], of entries: [SNSEntry]) -> [EntryResult]? {
        let answer = String(decoding: body, as: UTF8.self)
        guard answer.contains("<PublishBatchResult>") || answer.contains("<PublishBatchResult/>") else { return nil }
        var results = [EntryResult](
            repeating: .failed("SNS did not say what became of the message"), count: entries.count)
        let ids = entries.enumerated().map { $1.id($0) }
        for (kind, isFailure) in [("Successful", false), ("Failed", true)] {
            for member in (XMLText.element(kind, of: answer) ?? "").split(separator: "<member>") {
                let member = String(member)
                guard let id = XMLText.element("Id", of: member) else { continue }
                guard let number = ids.firstIndex(of: id) else { return nil }
                if isFailure {
                    results[number] = Self.result(member)
                } else if XMLText.element("MessageId", of: member)?.isEmpty == false {
                    results[number] = .delivered
                }
            }
        }
        return results
    }

    private static func result(_ member: String) -> EntryResult {
        let code = XMLText.element("Code", of: member) ?? ""
        let message = XMLText.element("Message", of: member).map { ": \($0.prefix(400))" } ?? ""
        return EntryResult(
            code: code, reason: "SNS: \(code)\(message)",
            isSendersFault: XMLText.element("SenderFault", of: member) == "true")
    }
}

extension SNSEntry {
    /// What it is called in a request. With the message's id, so that an answer to another request is none.
    func id(_ number: Int) -> String { "\(number)-\(self.messageID)" }
}

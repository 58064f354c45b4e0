import OutboxHTTP

/// A service, as its protocol has it.
struct AWSService: Sendable, Hashable {
    /// As people write it.
    let title: String
    /// In host names and signatures.
    let name: String
    /// What the names of its operations begin with; empty: it has another protocol.
    let target: String
    let contentType: String

    static let sqs = AWSService(
        title: "SQS", name: "sqs", target: "AmazonSQS", contentType: "application/x-amz-json-1.0")
    static let kinesis = AWSService(
        title: "Kinesis", name: "kinesis", target: "Kinesis_20131202", contentType: "application/x-amz-json-1.1")
    static let sns = AWSService(
        title: "SNS", name: "sns", target: "", contentType: "application/x-www-form-urlencoded; charset=utf-8")
    static let eventBridge = AWSService(
        title: "EventBridge", name: "events", target: "AWSEvents", contentType: "application/x-amz-json-1.1")
    static let sts = AWSService(title: "STS", name: "sts", target: "", contentType: "")

    /// The variable with the address of this service alone.
    var endpointVariable: String { "AWS_ENDPOINT_URL_\(self.title.uppercased())" }
}

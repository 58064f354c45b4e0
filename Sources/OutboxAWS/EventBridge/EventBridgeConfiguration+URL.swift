public import Outbox
import OutboxRuntime

extension EventBridgeConfiguration {
    /// The scheme of addresses. They have no port.
    package static let ports = ["eventbridge": 0]

    /// Reads an address: `eventbridge://BUS?region=eu-central-1&source=shop`. The bus is a name or a template.
    ///
    /// The parameters are those of the properties: `source` and `detail_type` (templates), `content` (`payload`, `envelope`), `linger`;
    /// and those of ``AWSConfiguration``, as with ``SQSConfiguration/init(url:)``.
    ///
    /// - Throws: What is wrong with it: unknown or repeated parameters, values that are none, and settings that cannot work together.
    public init(url: String) throws(TransportConfigurationError) {
        let (name, list) = try BrokerURL.target(url, scheme: "eventbridge", kind: "bus")
        var parameters = try AWSParameters(list, own: ["source", "detail_type", "content", "linger"])
        self.init(bus: try MessageTemplate(name, of: "bus"))
        if let source = try parameters.template("source") { self.source = source }
        if let type = try parameters.template("detail_type") { self.detailType = type }
        if let content = try parameters.choice("content", ["payload": Content.payload, "envelope": .envelope]) {
            self.content = content
        }
        if let time = try parameters.duration("linger") { self.linger = time }
        self.aws = try parameters.configuration()
        try self.validate()
    }

    /// Refuses what cannot be used.
    func validate() throws(TransportConfigurationError) {
        func require(_ condition: Bool, _ complaint: String) throws(TransportConfigurationError) {
            if !condition { throw TransportConfigurationError("EventBridge: \(complaint)") }
        }
        try require(self.bus.constant != "", "a bus has a name")
        try require(
            self.source.constant != "" && self.source.constant?.hasPrefix("aws.") != true,
            "a source is not empty, and those that begin with “aws.” are the service’s")
        try require(self.detailType.constant != "", "a type of detail is not empty")
        try require(self.linger >= .zero && self.linger <= .seconds(60), "“linger” is a time of up to a minute")
    }
}

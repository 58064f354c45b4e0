public import Outbox
import OutboxRuntime

extension KinesisConfiguration {
    /// The scheme of addresses. They have no port.
    package static let ports = ["kinesis": 0]

    private static let parameters = ["partition_key", "explicit_hash_key", "content", "linger"]

    /// Reads an address: `kinesis://STREAM?region=eu-central-1`. The stream is a name or a template: `kinesis://events`, `kinesis://{route}`.
    ///
    /// The parameters are those of the properties: `partition_key` and `explicit_hash_key` (templates), `content` (`payload`,
    /// `envelope`), `linger`; and those of ``AWSConfiguration``: `region`, `endpoint`, `profile`, `credentials` (`standard`, `environment`,
    /// `profile`, `web_identity`, `container`, `instance`), `connect_timeout`, `timeout`, `connections`, `proxy`, `ca_file`, `cert_file`,
    /// `key_file`, `verify_peer`, `verify_host`. A time is `30s`, `500ms` or `2m`; a bare number is seconds.
    ///
    /// - Throws: What is wrong with it: unknown or repeated parameters, values that are none, and settings that cannot work together.
    public init(url: String) throws(TransportConfigurationError) {
        let (name, list) = try BrokerURL.target(url, scheme: "kinesis", kind: "stream")
        var parameters = try AWSParameters(list, own: Self.parameters)
        self.init(stream: try MessageTemplate(name, of: "stream"))
        self.partitionKey = try parameters.template("partition_key")
        self.explicitHashKey = try parameters.template("explicit_hash_key")
        if let content = try parameters.choice("content", ["payload": Content.payload, "envelope": .envelope]) {
            self.content = content
        }
        if let time = try parameters.duration("linger") { self.linger = time }
        self.aws = try parameters.configuration()
        try self.validate()
    }

    /// Refuses what cannot be used.
    func validate() throws(TransportConfigurationError) {
        guard self.linger >= .zero, self.linger <= .seconds(60) else {
            throw TransportConfigurationError("Kinesis: “linger” is a time of up to a minute")
        }
        if let stream = self.stream.constant, !KinesisRecord.isStream(stream) {
            throw TransportConfigurationError("Kinesis: that is no stream: \(KinesisRecord.rule)")
        }
        if let key = self.explicitHashKey?.constant, !KinesisRecord.isHashKey(key) {
            throw TransportConfigurationError("Kinesis: an explicit hash key is a number from 0 to 2^128 - 1")
        }
    }
}

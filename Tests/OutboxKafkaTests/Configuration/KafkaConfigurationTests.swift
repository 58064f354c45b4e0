import Outbox
import Testing

@testable import OutboxKafka

@Suite(.timeLimit(.minutes(5))) struct KafkaConfigurationTests {
    private func error(_ url: String) -> String? {
        do throws(TransportConfigurationError) {
            _ = try KafkaTransport(url)
            return nil
        } catch {
            return error.description
        }
    }

    @Test func anAddressSaysEverything() throws {
        let configuration = try KafkaConfiguration(
            url: "kafka+ssl://ada:s3cret@one:1,two?topic=e-{route}&key={header.k}&id-header=&timeout=7&linger.ms=9"
                + "&sasl.mechanism=SCRAM-SHA-512")
        #expect(configuration.brokers == ["one:1", "two:9093"])
        #expect(configuration.topic.text == "e-{route}")
        #expect(configuration.key?.text == "{header.k}")
        #expect(configuration.record.idHeader == nil)
        #expect(configuration.delivery.timeout == .seconds(7))
        #expect(configuration.properties == ["linger.ms": "9"])
        #expect(configuration.security.sasl == .scramSHA512(user: "ada", password: "s3cret"))
        let properties = try ProducerProperties(configuration).values
        #expect(properties.contains { $0 == ("security.protocol", "sasl_ssl") })
        #expect(properties.contains { $0 == ("sasl.mechanisms", "SCRAM-SHA-512") })
        #expect(properties.last?.name == "linger.ms", "what is given by name has the last word")
        let units = try KafkaConfiguration(url: "kafka://host/events?timeout=2m&contact-timeout=500ms").delivery
        #expect(units.timeout == .seconds(120) && units.contactTimeout == .milliseconds(500))
        let short = try KafkaConfiguration(url: "kafka://host/events")
        #expect(short.topic.text == "events")
    }

    @Test func secretsAreNotShown() throws {
        let configuration = try KafkaConfiguration(url: "kafkas://ada:s3cret@one?topic=e&ssl.key.password=s3cret")
        let transport = try KafkaTransport(KafkaConfiguration(url: "kafka://ada:s3cret@one?topic=e"))
        var dumped = ""
        dump(configuration, to: &dumped)
        dump(configuration.security, to: &dumped)
        for text in ["\(configuration)", "\(configuration.security)", "\(transport)", dumped] {
            #expect(!text.contains("s3cret"))
        }
        #expect("\(transport)" == "kafka://one:9092?topic=e")
    }

    @Test(arguments: [
        ("partitioner=random", "order"), ("queuing.strategy=lifo", "pass earlier ones"), ("linger.ms=30000", "timeout"),
        ("queue.buffering.max.ms=31000", "timeout"), ("topic.metadata.propagation.max.ms=60000", "timeout"),
        ("max.in.flight.requests.per.connection=6", "max.in.flight"), ("timestamp=now", "enqueued, produced"),
        ("acks=1", "replicas"), ("enable.idempotence=false", "idempotence"), ("retries=3", "timeout"),
        ("message.timeout.ms=5", "timeout"), ("enable.gapless.guarantee=false", "passes"),
        ("transactional.id=x", "transactions"), ("linger.mss=5", "“linger.ms”"),
        ("compresion.type=lz4", "“compression.type”"), ("linger.ms=soon", "linger.ms"),
        ("max.in.flight=6", "max.in.flight"), ("message.max.bytes=100000000", "bytes"),
        ("topic=a%20b", "topic"), ("topic={rout}", "{rout}"), ("timeout=0", "timeout"), ("timeout=soon", "such as 30s"), ("contact-timeout=2d", "up to a day"),
        (
            "ssl.key.location=/nowhere&security.protocol=ssl",
            "ssl.key.location”: the file “/nowhere” cannot be read: No such"
        ),
        ("ssl.ca.location=/nowhere.pem&security.protocol=ssl", "the file “/nowhere.pem” cannot be read: No such file"),
    ])
    func whatCannotBeIsRefusedWithTheReason(_ parameters: String, _ expected: String) throws {
        let prefix = parameters.hasPrefix("topic=") ? "" : "topic=e&"
        let text = try #require(self.error("kafka://host?\(prefix)\(parameters)"))
        #expect(text.contains(expected), "\(text)")
    }

    @Test func propertiesOfLibrdkafkaPass() {
        let properties = "compression.type=lz4&acks=all&queue.buffering.max.ms=3&client.id=me"
        #expect(self.error("kafka://host?topic=e&\(properties)") == nil)
    }

    /// Those that go by the key, whatever they make of records without one.
    @Test(arguments: ["consistent", "consistent_random", "murmur2", "murmur2_random", "fnv1a", "fnv1a_random"])
    func aPartitionerByKeyIsTaken(_ partitioner: String) {
        #expect(self.error("kafka://host?topic=e&partitioner=\(partitioner)") == nil)
    }

    @Test func whatARecordHasStandsInTheAddress() throws {
        let usual = try KafkaConfiguration(url: "kafka://host?topic=e").record
        #expect(usual == .init(idHeader: "outbox-id", enqueuedAtHeader: "outbox-enqueued-at", timestamp: .produced))
        let other = try KafkaConfiguration(
            url: "kafka://host?topic=e&id-header=&enqueued-at-header=t&timestamp=enqueued"
        ).record
        #expect(other == .init(idHeader: nil, enqueuedAtHeader: "t", timestamp: .enqueued))
    }

    @Test func statisticsAreRead() throws {
        let json = """
            {"msg_cnt": 3, "msg_size": 40, "txmsgs": 9, "brokers": {
            "a": {"state": "UP", "txretries": 2, "rtt": {"avg": 900, "cnt": 4}},
            "b": {"state": "INIT", "txretries": 1, "rtt": {"avg": 0, "cnt": 0}}}}
            """
        let statistics = try #require(KafkaStatistics(json: json))
        #expect(statistics.queued == 3)
        #expect(statistics.retriedRequests == 3)
        #expect(statistics.connectedBrokers == 1)
        #expect(statistics.roundTripMicroseconds == 900)
        #expect(KafkaStatistics(json: "{") == nil)
    }
}

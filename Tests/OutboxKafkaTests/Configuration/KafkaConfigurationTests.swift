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

    /// The parameters of every transport become properties of librdkafka, which can be given by their own names too.
    @Test func parametersOfTLSBecomeProperties() throws {
        let file = #filePath
        func values(_ parameters: String) throws -> [String: String] {
            let configuration = try KafkaConfiguration(url: "kafkas://one?topic=e\(parameters)")
            return Dictionary(try ProducerProperties(configuration).values.map { ($0.name, $0.value) }) { $1 }
                .filter { $0.key.contains("ssl") }
        }
        let verified = ["ssl.endpoint.identification.algorithm": "https"]
        #expect(try values("") == verified)
        #expect(
            try values("&ca_file=\(file)&cert_file=\(file)&key_file=\(file)&verify_peer=false&verify_host=false") == [
                "ssl.ca.location": file, "ssl.certificate.location": file, "ssl.key.location": file,
                "enable.ssl.certificate.verification": "false", "ssl.endpoint.identification.algorithm": "none",
            ])
        #expect(try values("&verify_host=true&verify_peer=true")["ssl.endpoint.identification.algorithm"] == "https")
        let named = try values("&ssl.ca.location=\(file)&ssl.endpoint.identification.algorithm=none")
        #expect(named == ["ssl.ca.location": file, "ssl.endpoint.identification.algorithm": "none"])
        // Each in the one or the other way.
        let mixed = try values("&ca_file=\(file)&ssl.endpoint.identification.algorithm=none")
        #expect(mixed == named)
    }

    @Test(arguments: [
        ("ca_file=FILE&ssl.ca.location=FILE", "“ssl.ca.location” is given twice, by its name and as “ca_file”"),
        ("verify_host=true&ssl.endpoint.identification.algorithm=none", "given twice, by its name and as “verify_host”"),
        ("verify_peer=true&enable.ssl.certificate.verification=true", "given twice, by its name and as “verify_peer”"),
        ("ca_file=FILE&ca_file=FILE", "“ca_file” is given twice"),
        ("cert_file=FILE", "needs both “cert_file” and “key_file”"), ("ca_file=/nowhere", "“ca_file”: the file “/nowhere”"),
        ("verify_peer=no", "the parameter “verify_peer” is one of false, true"), ("ca_fil=FILE", "did you mean “ca_file”?"),
        ("verify_hosts=true", "did you mean “verify_host”?"), ("contact-timeot=3", "did you mean “contact-timeout”?"),
    ]) func whatCannotBeOfTLSIsRefused(_ parameters: String, _ expected: String) throws {
        let parameters = parameters.replacing("FILE", with: #filePath)
        let text = try #require(self.error("kafkas://host?topic=e&\(parameters)"))
        #expect(text.contains(expected), "\(text)")
    }

    /// What is given by a property of librdkafka and by the address contradicts itself, or is not needed.
    @Test(arguments: [
        ("kafka://ada:pw@host?sasl.password=other", "is given twice, by its name and as the login’s password"),
        ("kafka://ada:pw@host?sasl.username=bob", "is given twice, by its name and as the login’s user"),
        ("kafkas://host?security.protocol=plaintext", "“security.protocol” cannot be set like that: TLS is asked for"),
        ("kafkas://host?security.protocol=SASL_PLAINTEXT", "TLS is asked for"),
        ("kafkas://ada:pw@host?security.protocol=ssl", "a user is given, and there would be no login"),
        ("kafka://ada:pw@host?security.protocol=plaintext", "a user is given, and there would be no login"),
    ]) func noPropertyTakesBackTheLoginOrTLS(_ address: String, _ expected: String) throws {
        let text = try #require(self.error(address + "&topic=e"))
        #expect(text.contains(expected), "\(text)")
        #expect(!text.contains("pw") && !text.contains("other") && !text.contains("bob"))
    }

    @Test func aMechanismIsNotGivenTwice() throws {
        var configuration = KafkaConfiguration(brokers: ["host"], topic: "e")
        configuration.security.sasl = .scramSHA512(user: "ada", password: "pw")
        for name in ["sasl.mechanism", "sasl.mechanisms"] {
            configuration.properties = [name: "PLAIN"]
            #expect(throws: TransportConfigurationError.self) { try ProducerProperties(configuration) }
        }
    }

    /// Other logins than those with a user and a password are made of properties alone.
    @Test(arguments: [
        "kafkas://host?security.protocol=sasl_ssl&sasl.mechanism=PLAIN&sasl.username=ada&sasl.password=pw",
        "kafka://host?security.protocol=ssl",
        "kafkas://ada:pw@host?security.protocol=SASL_SSL",
    ]) func propertiesThatAgreeAreTaken(_ address: String) {
        #expect(self.error(address + "&topic=e") == nil)
    }

    /// Times are handed to librdkafka in milliseconds that fit into 32 bits.
    @Test func noTimeIsLongerThanADay() {
        typealias Change = @Sendable (inout KafkaConfiguration) -> Void
        let changes: [Change] = [
            { $0.delivery.timeout = .seconds(86_401) }, { $0.delivery.contactTimeout = .seconds(30 * 86_400) },
            { $0.delivery.topicTimeout = .seconds(Int64.max) }, { $0.delivery.closeTimeout = .seconds(86_401) },
            { $0.statisticsInterval = .seconds(Int64.max) },
        ]
        for change in changes {
            var configuration = KafkaConfiguration(brokers: ["host"], topic: "e")
            change(&configuration)
            #expect(throws: TransportConfigurationError.self) { try ProducerProperties(configuration) }
        }
    }

    @Test func parametersOfTLSNeedTLS() {
        #expect(
            self.error("kafka://host?topic=e&verify_host=false")
                == "the parameter “verify_host” needs an address that begins with kafkas://")
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

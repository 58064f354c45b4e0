import Outbox
import Testing

@testable import OutboxAMQP

@Suite(.timeLimit(.minutes(5))) struct AMQPConfigurationTests {
    private func complaint(_ url: String) -> String {
        do throws(TransportConfigurationError) {
            _ = try AMQPConfiguration(url: url)
            return ""
        } catch {
            return error.description
        }
    }

    @Test func readsTheShortAddress() throws {
        let configuration = try AMQPConfiguration(url: "amqp://localhost?exchange=orders")
        #expect(configuration.hosts == [.init("localhost", port: 5672)])
        #expect(configuration.virtualHost == "/")
        #expect(configuration.credentials == .password(user: "guest", password: "guest"))
        #expect(configuration.exchange == .named("orders"))
        #expect(configuration.queues.isEmpty)
        #expect(configuration.publishing.routingKey.text == "{route|}")
        #expect(configuration.tls == nil)
    }

    @Test func readsEveryParameter() throws {
        let configuration = try AMQPConfiguration(
            url: "amqps://u:p%40@a:1,b/v%2Fh?exchange=e&type=topic&durable=false&auto_delete=true&routing_key=x.{route}"
                + "&queue=q&queue_type=quorum&binding_key=x.%23&unroutable=reject&persistent=false&message_id=m-{id}"
                + "&content_type=t&message_type={destination}&app_id=app&priority=7&expiration=2m&max_message_size=5"
                + "&window=10&key_order=pipelined&confirm_timeout=1s&connect_timeout=200ms&heartbeat=0&initial_delay=1ms"
                + "&maximum_delay=1m&frame_size=8192&connection_name=n&host_order=as_given&ca_file=/ca&cert_file=/c"
                + "&key_file=/k&verify_peer=false&verify_host=false&auth=certificate")
        #expect(configuration.hosts == [.init("a", port: 1), .init("b", port: 5671)])
        #expect(configuration.virtualHost == "v/h")
        #expect(configuration.credentials == .certificate)
        #expect(configuration.exchange == .declared("e", isDurable: false, isAutoDeleted: true))
        var queue = AMQPConfiguration.Queue("q", isDurable: false, isAutoDeleted: true, bindingKeys: ["x.#"])
        queue.arguments["x-queue-type"] = "quorum"
        #expect(configuration.queues == [queue])
        #expect(configuration.publishing.routingKey.text == "x.{route}")
        #expect(configuration.publishing.unroutable == .rejected)
        #expect(!configuration.publishing.isPersistent)
        #expect(configuration.publishing.messageID.text == "m-{id}")
        #expect(configuration.publishing.contentType == "t")
        #expect(configuration.publishing.type?.text == "{destination}")
        #expect(configuration.publishing.applicationID == "app")
        #expect(configuration.publishing.priority == 7)
        #expect(configuration.publishing.expiration == .seconds(120))
        #expect(configuration.publishing.maximumMessageSize == 5)
        #expect(configuration.confirms.window == 10)
        #expect(configuration.confirms.keyOrder == .pipelined)
        #expect(configuration.confirms.timeout == .seconds(1))
        #expect(configuration.connection.timeout == .milliseconds(200))
        #expect(configuration.connection.heartbeat == .zero)
        #expect(configuration.connection.initialDelay == .milliseconds(1))
        #expect(configuration.connection.maximumDelay == .seconds(60))
        #expect(configuration.connection.frameSize == 8192)
        #expect(configuration.connection.name == "n")
        #expect(configuration.hostOrder == .asGiven)
        #expect(
            configuration.tls
                == TLSSettings(
                    caFile: "/ca", certificateFile: "/c", keyFile: "/k", verifiesPeer: false, verifiesHost: false))
    }

    @Test func aQueueWithoutAnExchangeIsPublishedToByItsName() throws {
        let configuration = try AMQPConfiguration(url: "amqp://localhost?queue=a{b}")
        #expect(configuration.publishing.routingKey.constant == "a{b}")
        #expect(configuration.queues == [.init("a{b}")])
        let bound = try AMQPConfiguration(url: "amqp://localhost?exchange=e&queue=q")
        #expect(bound.queues == [.init("q", bindingKeys: ["#"])])
        let constant = try AMQPConfiguration(url: "amqp://localhost?exchange=e&queue=q&routing_key=all")
        #expect(constant.queues == [.init("q", bindingKeys: ["all"])])
    }

    @Test(arguments: [
        "amqp://h", "amqp://h/", "amqp://h?queue=q", "amqp://h/?queue=q", "amqp://h/%2F?queue=q", "amqp://h//",
    ])
    func anEmptyVirtualHostIsTheDefaultOne(_ url: String) throws {
        #expect(try AMQPConfiguration(url: url).virtualHost == "/")
        var configuration = AMQPConfiguration()
        configuration.virtualHost = ""
        let error = #expect(throws: TransportConfigurationError.self) { try AMQPTransport(configuration) }
        #expect(error?.description.contains("virtual host has no name") == true)
    }

    @Test func argumentsStandInTheAddress() throws {
        let configuration = try AMQPConfiguration(
            url: "amqp://h?exchange=e&type=x-delayed-message&exchange.x-delayed-type=direct&exchange.x=true"
                + "&queue=q&queue.x-max-length=1000&queue.x-overflow=reject-publish&routing_key=k")
        #expect(
            configuration.exchange
                == .declared("e", type: "x-delayed-message", arguments: ["x-delayed-type": "direct", "x": true]))
        #expect(
            configuration.queues == [
                .init("q", arguments: ["x-max-length": 1000, "x-overflow": "reject-publish"], bindingKeys: ["k"])
            ])
        for (url, part) in [
            ("amqp://h?exchange=e&exchange.a=b", "give its “type”"), ("amqp://h?queue.a=b", "need a “queue”"),
            ("amqp://h?queue=q&queue.=b", "no parameter “queue.”"),
            ("amqp://h?queue=q&queue.a=1&queue.a=1", "“queue.a” is given twice"),
            ("amqp://h?queue=q&queue_type=quorum&queue.x-queue-type=quorum", "given twice"),
            ("amqp://h?exchange=e&type=x-delayed-message", "x-delayed-type"),
        ] {
            #expect(self.complaint(url).contains(part), "\(url): \(self.complaint(url))")
        }
    }

    @Test func aQueueCanBeBoundToEverything() throws {
        let configuration = try AMQPConfiguration(url: "amqp://localhost?exchange=e&queue=q&binding_key=#")
        #expect(configuration.queues == [.init("q", bindingKeys: ["#"])])
    }

    @Test func refusesWhatItDoesNotKnow() {
        #expect(
            self.complaint("amqp://localhost?exchnage=orders")
                == "there is no parameter “exchnage”; did you mean “exchange”?")
        #expect(self.complaint("amqp://localhost?window=1&window=2") == "the parameter “window” is given twice")
        #expect(
            self.complaint("amqp://localhost?durable=true").contains(
                "“durable” and “auto_delete” are for what is declared"))
        #expect(
            self.complaint("amqp://localhost?binding_key=a")
                == "“binding_key”, “queue_type” and arguments of a queue need a “queue”")
        #expect(
            self.complaint("amqp://localhost?ca_file=a")
                == "the parameter “ca_file” needs an address that begins with amqps://")
        #expect(self.complaint("amqps://localhost?cert_file=a").contains("needs both “cert_file” and “key_file”"))
        #expect(
            self.complaint("amqps://localhost?verify_peer=no") == "the parameter “verify_peer” is one of false, true")
        #expect(
            self.complaint("amqps://localhost?cafile=a") == "there is no parameter “cafile”; did you mean “ca_file”?")
        #expect(self.complaint("amqps://localhost?auth=certificate").contains("need TLS with a certificate"))
        #expect(self.complaint("amqp://localhost?persistent=yes") == "the parameter “persistent” is one of false, true")
        #expect(
            self.complaint("amqp://localhost?window=0") == "the parameter “window” is a whole number, from 1 to 1000000"
        )
        #expect(
            self.complaint("amqp://localhost?heartbeat=soon")
                == "the parameter “heartbeat” is a time such as 30s, 500ms or 2m")
        #expect(self.complaint("amqp://localhost?heartbeat=70000s").contains("the heartbeat is zero, or from 1 s"))
        #expect(self.complaint("amqp://localhost?type=topic").contains("the default exchange cannot be declared"))
        #expect(self.complaint("amqp://localhost?message_id=x").contains("the message id must contain {id}"))
        #expect(self.complaint("amqp://localhost?routing_key=").contains("on the default exchange the routing key"))
        #expect(
            self.complaint("amqp://localhost/\(String(repeating: "v", count: 256))").contains(
                "the virtual host has more than 255"))
        #expect(self.complaint("http://localhost") == "an address begins with amqp:// or amqps://")
        #expect(
            self.complaint("amqp://localhost?whatever=1").hasPrefix(
                "there is a parameter that is not known; known are "))
    }

    @Test func secretsAreNotPrinted() throws {
        var configuration = try AMQPConfiguration(url: "amqps://me:swordfish@localhost/v?exchange=e")
        configuration.tls = TLSSettings(certificateFile: "/c", keyFile: "/k", keyPassword: "swordfish")
        var dumped = ""
        dump(configuration, to: &dumped)
        for text in ["\(configuration)", String(reflecting: configuration), dumped] {
            #expect(!text.contains("swordfish"))
        }
        #expect("\(configuration)" == "amqps://localhost:5671/v?exchange=e")
        #expect(self.complaint("amqp://me:sword#fish@localhost").contains("%23"))
        #expect(!self.complaint("amqp://me:swordfish@localhost:port").contains("swordfish"))
    }
}

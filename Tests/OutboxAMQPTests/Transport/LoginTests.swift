import Outbox
import OutboxAMQP
import OutboxTestServers
import RabbitMQMailbox
import TestSupport
import Testing

/// What keeps a transport from its broker, and what makes it find another one.
@Suite(.timeLimit(.minutes(5))) struct LoginTests {
    private func reason(
        _ scope: BrokerScope, _ change: (inout AMQPConfiguration) -> Void
    ) async throws -> String {
        var reason = ""
        try await scope.withTransport(change) { transport in
            let outcome = try await transport.deliver([.numbered(1)])[0]
            #expect(outcome.kind == .unavailable(reason: outcome.reason ?? ""))
            #expect(!transport.health.isUp)
            reason = outcome.reason ?? ""
        }
        return reason
    }

    @Test func whatTheBrokerHasAgainstTheLoginIsSaid() async throws {
        try await BrokerScope.with { scope in
            let refused = try await self.reason(scope) {
                $0.credentials = .password(user: "guest", password: "swordfish")
            }
            #expect(refused.contains("403 ACCESS_REFUSED"))
            #expect(!refused.contains("swordfish"))
            let missing = try await self.reason(scope) { $0.virtualHost = "nowhere" }
            #expect(missing.contains("vhost nowhere not found"))
            let conflict = try await self.reason(scope) { configuration in
                configuration.exchange = .declared("amq.topic", type: "direct")
            }
            #expect(conflict.contains("406 PRECONDITION_FAILED"))
            let absent = try await self.reason(scope) {
                $0.exchange = .named("missing"); $0.queues = []
            }
            #expect(absent.contains("404 NOT_FOUND"))
        }
    }

    /// A file that cannot be used is no outage: it is found before anything is connected.
    @Test func filesAreReadAtTheStart() async throws {
        try await BrokerScope.with { scope in
            let files = try #require(scope.broker.certificates)
            let identity = { (key: String) -> (inout TLSSettings) -> Void in
                { ($0.certificateFile, $0.keyFile) = (files.clientCertificate, key) }
            }
            let changes: [((inout TLSSettings) -> Void, String)] = [
                ({ $0.caFile = "/nowhere.pem" }, "“/nowhere.pem” cannot be read: No such file"),
                (
                    { $0.caFile = "/etc/passwd" },
                    "the authorities in /etc/passwd cannot be read; is it a file in PEM?"
                ),
                (identity("/nowhere.pem"), "“/nowhere.pem” cannot be read: No such file"),
                (identity(files.otherAuthorityKey), "do they belong together?"),
            ]
            for (change, part) in changes {
                let configure = try self.encrypted(scope, change)
                let error = #expect(throws: TransportConfigurationError.self) { try scope.transport(configure) }
                #expect(error?.description.contains(part) == true, "\(error?.description ?? "")")
            }
        }
    }

    @Test func whyAHostCannotBeReachedIsSaid() async throws {
        try await BrokerScope.with { scope in
            let refused = try await self.reason(scope) { $0.hosts = [.init("127.0.0.1", port: 1)] }
            #expect(refused == "127.0.0.1:1: Connection refused")
            let unknown = try await self.reason(scope) { $0.hosts = [.init("name.invalid")] }
            #expect(unknown.contains("the host is not found: "))
            let port = try #require(scope.broker.tlsPort)
            let plain = try await self.reason(scope) { $0.hosts = [.init("localhost", port: port)] }
            #expect(plain.contains("it may be that the port is one for TLS (amqps://)"), "\(plain)")
            let encrypted = try self.encrypted(scope)
            let noTLS = try await self.reason(scope) { configuration in
                encrypted(&configuration)
                configuration.hosts = [.init("localhost", port: scope.broker.port)]
            }
            #expect(noTLS.contains("does the broker speak TLS on this port?"), "\(noTLS)")
        }
    }

    /// Before the first message, and each reason once.
    @Test func whyThereIsNoConnectionIsLoggedAtTheStartAndWhenItChanges() async throws {
        try await BrokerScope.with { scope in
            let lines = LogLines()
            try await scope.broker.rabbitmqctl("add_vhost", scope.name)
            var configuration = scope.configuration {
                $0.virtualHost = scope.name
                $0.queues = []
                $0.exchange = .named("amq.topic")
            }
            configuration.credentials = .password(user: scope.name, password: "wrong")
            let transport = try AMQPTransport(configuration, logger: lines.logger)
            try await scope.run(transport) { _ in
                try await eventually("the password is wrong") {
                    lines.warnings.contains { $0.contains("403 ACCESS_REFUSED") }
                }
                try await scope.broker.rabbitmqctl("add_user", scope.name, "wrong")
                try await eventually("the virtual host is closed to the user") {
                    lines.warnings.contains { $0.contains("530 NOT_ALLOWED") }
                }
                try await scope.broker.rabbitmqctl("set_permissions", "-p", scope.name, scope.name, ".*", ".*", ".*")
                try await eventually("it is up") { lines.all.contains { $0.hasPrefix("notice") } }
            }
            #expect(lines.warnings.count == 2, "\(lines.all)")
        }
    }

    @Test func whatIsMissingIsLoggedAtTheStart() async throws {
        try await BrokerScope.with { scope in
            var exchange = scope.configuration {
                $0.exchange = .named(scope.name)
                $0.queues = []
            }
            var queue = exchange
            queue.exchange = .default
            queue.publishing.routingKey = MessageTemplate(stringLiteral: scope.name)
            exchange.publishing.routingKey = "k"
            for (configuration, missing) in [(exchange, "no exchange"), (queue, "no queue")] {
                let lines = LogLines()
                try await scope.run(AMQPTransport(configuration, logger: lines.logger)) { transport in
                    try await eventually("it is connected") { transport.health.isUp }
                    #expect(lines.warnings.count == 1 && lines.warnings[0].contains("404 NOT_FOUND - \(missing)"))
                    // It may be there by the time of the first message.
                    try await scope.mailbox.declareQueue(scope.name)
                    try await scope.mailbox.declareExchange(scope.name, type: "fanout")
                    try await scope.mailbox.bind(scope.name, to: scope.name, key: "")
                    let outcomes = try await transport.deliver([.numbered(1)])
                    #expect(outcomes == [.delivered])
                    try await scope.mailbox.deleteExchange(scope.name)
                    try await scope.broker.rabbitmqctl("delete_queue", scope.name)
                }
            }
        }
    }

    @Test func hostsAreTriedInTurn() async throws {
        try await BrokerScope.with { scope in
            for order in [AMQPConfiguration.HostOrder.asGiven, .random] {
                try await scope.withTransport { configuration in
                    configuration.hosts = [.init("127.0.0.1", port: 1), .init("name.invalid"), configuration.hosts[0]]
                    configuration.hostOrder = order
                } _: { transport in
                    let outcomes = try await transport.deliver([.numbered(1)])
                    #expect(outcomes == [.delivered])
                }
            }
            let nowhere = try await self.reason(scope) { configuration in
                configuration.hosts = [.init("127.0.0.1", port: 1), .init("127.0.0.1", port: 2)]
            }
            #expect(nowhere.contains("127.0.0.1:1: ") && nowhere.contains("127.0.0.1:2: "))
        }
    }

    @Test func aBrokerThatFallsSilentIsGivenUp() async throws {
        try await BrokerScope.with { scope in
            try await scope.withTransport {
                $0.connection.heartbeat = .seconds(1)
            } _: { transport in
                let first = try await transport.deliver([.numbered(1)])
                #expect(first == [.delivered])
                await scope.proxy.silence(true)
                try await eventually("the transport has noticed") { !transport.health.isUp }
                await scope.proxy.cut()
                await scope.proxy.silence(false)
                try await eventually("it is up again") { transport.health.isUp }
                let second = try await transport.deliver([.numbered(2)])
                #expect(second == [.delivered])
            }
        }
    }

    /// Idle for longer than the broker waits, so the connection must have sent heartbeats.
    @Test func anIdleConnectionStays() async throws {
        try await BrokerScope.with { scope in
            try await scope.withTransport {
                $0.connection.heartbeat = .seconds(1)
            } _: { transport in
                let first = try await transport.deliver([.numbered(1)])
                #expect(first == [.delivered])
                let end = ContinuousClock.now + .seconds(4)
                try await eventually("time passes") {
                    #expect(transport.health.isUp)
                    return ContinuousClock.now > end
                }
                let second = try await transport.deliver([.numbered(2)])
                #expect(second == [.delivered])
            }
        }
    }

    @Test func aConfirmationThatDoesNotComeIsALostConnection() async throws {
        try await BrokerScope.with { scope in
            try await scope.withTransport { configuration in
                configuration.confirms.timeout = .milliseconds(300)
                configuration.connection.heartbeat = .zero
            } _: { transport in
                let first = try await transport.deliver([.numbered(1)])
                #expect(first == [.delivered])
                await scope.proxy.silence(true)
                let second = try await transport.deliver([.numbered(2)])
                #expect(second == [.unavailable("a message was not confirmed within 0.3 seconds")])
                await scope.proxy.cut()
                await scope.proxy.silence(false)
                try await eventually("it is up again") { transport.health.isUp }
            }
        }
    }

    // MARK: TLS

    private func encrypted(
        _ scope: BrokerScope, _ change: (inout TLSSettings) -> Void = { _ in }
    ) throws -> (inout AMQPConfiguration) -> Void {
        let port = try #require(scope.broker.tlsPort)
        var tls = TLSSettings(caFile: try #require(scope.broker.certificates).authority)
        change(&tls)
        return { configuration in
            configuration.hosts = [.init("localhost", port: port)]
            configuration.tls = tls
        }
    }

    @Test func overTLSMessagesOfAnyLengthArrive() async throws {
        try await BrokerScope.with { scope in
            let certificates = try #require(scope.broker.certificates)
            let identity = (certificates.clientCertificate, certificates.clientKey)
            for (certificate, key) in [(nil, nil), identity] {
                let configure = try self.encrypted(scope) { ($0.certificateFile, $0.keyFile) = (certificate, key) }
                try await scope.withTransport(configure) { transport in
                    let payload = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
                    let long = NewMessage(to: "bus", route: "orders", payload: payload)
                    let outcomes = try await transport.deliver([long] + (0..<3000).map { .numbered($0) })
                    #expect(outcomes.allSatisfy { $0 == .delivered })
                    let mails = try await scope.arrived()
                    #expect(mails.first?.payload == payload)
                    #expect(mails.dropFirst().compactMap(\.number) == Array(0..<3000))
                }
            }
        }
    }

    @Test func certificatesAreVerified() async throws {
        try await BrokerScope.with { scope in
            let other = try #require(scope.broker.certificates).otherAuthority
            let untrusted = try await self.reason(scope, self.encrypted(scope) { $0.caFile = other })
            #expect(untrusted.contains("SSL"))
            let systems = try await self.reason(scope, self.encrypted(scope) { $0.caFile = nil })
            #expect(systems.contains("SSL") || systems.contains("authorities"))
            let wrongName = try self.encrypted(scope)
            let named = try await self.reason(scope) { configuration in
                wrongName(&configuration)
                configuration.hosts[0].name = "127.0.0.1"
            }
            #expect(named.contains("hostname"))
            try await scope.withTransport(
                self.encrypted(scope) { tls in
                    tls.caFile = other
                    tls.verifiesPeer = false
                }
            ) { transport in
                let outcomes = try await transport.deliver([.numbered(1)])
                #expect(outcomes == [.delivered])
            }
        }
    }
}

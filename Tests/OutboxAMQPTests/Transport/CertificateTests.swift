import Outbox
import OutboxAMQP
import OutboxTestServers
import RabbitMQMailbox
import TestSupport
import Testing

/// Users whom the broker knows by their certificates. The suite has a broker of its own, where the user comes and goes; the
/// mailbox is there by a password.
@Suite(.serialized, .timeLimit(.minutes(5))) struct CertificateTests {
    private static let start = Task {
        try await EphemeralRabbitMQ.start(
            .init(
                parameters: [
                    "auth_mechanisms.1": "EXTERNAL", "auth_mechanisms.2": "PLAIN",
                    "ssl_cert_login_from": "common_name", "ssl_options.fail_if_no_peer_cert": "true",
                ], encryption: .selfSigned(client: "relay"), plugins: ["rabbitmq_auth_mechanism_ssl"]))
    }

    /// Runs a closure with a part of the broker, where the certificate's user is not known.
    private func withScope(_ body: (BrokerScope, EphemeralRabbitMQ) async throws -> Void) async throws {
        let broker = try await Self.start.value
        if try await broker.rabbitmqctl("list_users").contains("relay") {
            try await broker.rabbitmqctl("delete_user", "relay")
        }
        try await BrokerScope.with(broker) { scope in try await body(scope, broker) }
    }

    private func transport(
        _ scope: BrokerScope, _ change: (inout AMQPConfiguration) -> Void = { _ in }
    ) throws -> AMQPTransport {
        let port = try #require(scope.broker.tlsPort)
        let files = try #require(scope.broker.certificates)
        let address = try AMQPConfiguration(
            url: "amqps://localhost:\(port)?auth=certificate&ca_file=\(files.authority)"
                + "&cert_file=\(files.clientCertificate)&key_file=\(files.clientKey)")
        return try scope.transport { configuration in
            configuration.hosts = address.hosts
            configuration.tls = address.tls
            configuration.credentials = address.credentials
            change(&configuration)
        }
    }

    @Test func aUserWhoIsNotKnownIsRefusedUntilThereIsOne() async throws {
        try await self.withScope { scope, broker in
            try await scope.run(self.transport(scope)) { transport in
                let unknown = try await transport.deliver([.numbered(1)])[0]
                #expect(unknown.kind == .unavailable(reason: unknown.reason ?? ""))
                #expect(unknown.reason?.contains("403 ACCESS_REFUSED") ?? false)
                #expect(unknown.reason?.contains("EXTERNAL") ?? false)
                #expect(transport.health.reason == unknown.reason)

                try await broker.rabbitmqctl("add_user", "relay", "secret")
                try await broker.rabbitmqctl("clear_password", "relay")
                try await eventually("the user is known, and may do nothing yet") {
                    transport.health.reason?.contains("530 NOT_ALLOWED") ?? false
                }
                #expect(transport.health.reason?.contains("refused for user 'relay'") ?? false)

                try await broker.rabbitmqctl("set_permissions", "relay", ".*", ".*", ".*")
                try await eventually("the user may do everything") { transport.health.isUp }
                let known = try await transport.deliver([.numbered(2)])
                #expect(known == [.delivered])
                let connections = try await broker.rabbitmqctl("list_connections", "user", "auth_mechanism")
                #expect(connections.contains("relay\tEXTERNAL"))
                let numbers = try await scope.arrived().map(\.number)
                #expect(numbers == [2])
            }
        }
    }

    @Test func aUserWhoIsDeletedInBetweenLosesNothing() async throws {
        try await self.withScope { scope, broker in
            try await broker.rabbitmqctl("add_user", "relay", "secret")
            try await broker.rabbitmqctl("set_permissions", "relay", ".*", ".*", ".*")
            try await scope.mailbox.declareQueue(scope.name)
            let proxy = try TCPProxy(to: try #require(broker.tlsPort))
            let transport = try self.transport(scope) { $0.hosts[0].port = proxy.port }
            try await RelayRun(scope: scope, count: 10_000, keys: 50)(
                transport, repetitions: 2000,
                interruptions: [
                    (
                        at: 2000,
                        what: {
                            // Or all would be published before the broker has done what it is told.
                            await proxy.silence(true)
                            try await broker.rabbitmqctl("delete_user", "relay")
                            await proxy.silence(false)
                            try await eventually("the user is refused") {
                                transport.health.reason?.contains("403 ACCESS_REFUSED") ?? false
                            }
                            try await broker.rabbitmqctl("add_user", "relay", "secret")
                            try await broker.rabbitmqctl("set_permissions", "relay", ".*", ".*", ".*")
                        }
                    )
                ])
            await proxy.end()
        }
    }

    @Test func whyABrokerEndsTLSIsGuessed() async throws {
        try await self.withScope { scope, broker in
            let files = try #require(broker.certificates)
            let none = try self.transport(scope) {
                $0.tls?.certificateFile = nil
                $0.tls?.keyFile = nil
                $0.credentials = .password(user: "guest", password: "guest")
            }
            let untrusted = try self.transport(scope) {
                $0.tls?.certificateFile = files.otherAuthority
                $0.tls?.keyFile = files.otherAuthorityKey
            }
            for (transport, guess) in [
                (none, "the broker wants a client’s certificate"),
                (untrusted, "the broker does not trust the client’s certificate"),
            ] {
                try await scope.run(transport) { transport in
                    let reason = try await transport.deliver([.numbered(1)])[0].reason ?? ""
                    #expect(reason.contains(guess), "\(reason)")
                    #expect(transport.health.reason == reason)
                }
            }
        }
    }

    @Test func aBrokerThatKnowsNobodyByCertificateSaysSo() async throws {
        try await BrokerScope.with { scope in
            try await scope.run(self.transport(scope)) { transport in
                let reason = try await transport.deliver([.numbered(1)])[0].reason ?? ""
                #expect(reason.contains("it does not offer EXTERNAL"), "\(reason)")
                #expect(transport.health.reason == reason)
            }
        }
    }
}

import Outbox
import OutboxAMQP
import OutboxTestServers
import RabbitMQMailbox
import TestSupport
import Testing

/// A user whose permissions come and go, while the transport stays. Each test has a user of its own at the shared broker.
@Suite(.timeLimit(.minutes(5))) struct PermissionTests {
    /// Runs a closure with a part of the broker, and a user of the same name with all permissions.
    private func withUser(_ body: (BrokerScope, Permissions) async throws -> Void) async throws {
        try await BrokerScope.with { scope in
            let permissions = Permissions(broker: scope.broker, user: scope.name)
            try await scope.broker.rabbitmqctl("add_user", scope.name, "secret")
            try await permissions.give()
            try await body(scope, permissions)
        }
    }

    private struct Permissions: Sendable {
        let broker: EphemeralRabbitMQ
        let user: String

        func give(configure: String = ".*", write: String = ".*", read: String = ".*") async throws {
            try await self.broker.rabbitmqctl("set_permissions", self.user, configure, write, read)
        }

        func take() async throws { try await self.broker.rabbitmqctl("clear_permissions", self.user) }

        /// What a connection was allowed once, it may go on with.
        func closeConnections() async throws {
            try await self.broker.rabbitmqctl("close_all_user_connections", self.user, "maintenance")
        }
    }

    private func transport(
        _ scope: BrokerScope, _ change: (inout AMQPConfiguration) -> Void = { _ in }
    ) throws -> AMQPTransport {
        try scope.transport { configuration in
            configuration.credentials = .password(user: scope.name, password: "secret")
            change(&configuration)
        }
    }

    @Test func permissionsThatAreTakenInBetweenLoseNothing() async throws {
        try await self.withUser { scope, permissions in
            try await scope.mailbox.declareQueue(scope.name)
            let transport = try self.transport(scope)
            // Or all would be published before the broker has done what it is told.
            let whileNothingPasses: @Sendable (() async throws -> Void) async throws -> Void = { change in
                await scope.proxy.silence(true)
                try await change()
                try await permissions.closeConnections()
                await scope.proxy.silence(false)
            }
            try await RelayRun(scope: scope, count: 20_000, keys: 50)(
                transport, repetitions: 2 * 2000,
                interruptions: [
                    (
                        at: 3000,
                        what: {
                            try await whileNothingPasses { try await permissions.take() }
                            try await eventually("the virtual host is closed to the user") {
                                transport.health.reason?.contains("530 NOT_ALLOWED") ?? false
                            }
                            try await permissions.give()
                        }
                    ),
                    (
                        at: 9000,
                        what: {
                            // Everything but to write.
                            try await whileNothingPasses { try await permissions.give(write: "") }
                            try await eventually("exchange and queue are closed to the user") {
                                transport.health.reason?.contains("403 ACCESS_REFUSED") ?? false
                            }
                            try await permissions.give()
                        }
                    ),
                ])
        }
    }

    @Test func anExchangeThatMayNotBeWrittenToIsAnOutage() async throws {
        try await self.withUser { scope, permissions in
            try await scope.mailbox.declareQueue(scope.name)
            try await scope.mailbox.declareExchange(scope.name, type: "direct")
            try await scope.mailbox.bind(scope.name, to: scope.name, key: "orders")
            let transport = try self.transport(scope) {
                $0.exchange = .named(scope.name); $0.queues = []
            }
            try await scope.run(transport) { transport in
                let first = try await transport.deliver([.numbered(0)])
                #expect(first == [.delivered])
                try await permissions.give(configure: "", write: "", read: "")
                try await permissions.closeConnections()
                try await eventually("the connection is a new one") {
                    // A delivery that is cut with the old one is unavailable as well.
                    try await transport.deliver([.numbered(1)])[0].reason?.contains("403 ACCESS_REFUSED") ?? false
                }
                let batch = (10..<40).map { NewMessage.numbered($0, key: "k\($0 % 3)") }
                for outcome in try await transport.deliver(batch) {
                    #expect(outcome == .behind || outcome.kind == .unavailable(reason: outcome.reason ?? ""))
                    #expect(outcome == .behind || outcome.reason?.contains("access to exchange") ?? false)
                }
                #expect(transport.health.reason?.contains("403 ACCESS_REFUSED") ?? false)
                try await permissions.give(configure: "", read: "")
                let last = try await transport.deliver(batch)
                #expect(last == batch.map { _ in .delivered })
                #expect(transport.health.isUp)
                let numbers = Set(try await scope.arrived().compactMap(\.number))
                #expect(numbers.isSuperset(of: 10..<40))
            }
        }
    }

    @Test func aRoutingKeyThatIsRefusedIsItsMessagesAffair() async throws {
        try await self.withUser { scope, permissions in
            try await scope.mailbox.declareQueue(scope.name)
            try await scope.mailbox.declareExchange(scope.name, type: "topic")
            try await scope.mailbox.bind(scope.name, to: scope.name, key: "orders")
            try await scope.broker.rabbitmqctl(
                "set_topic_permissions", scope.name, scope.name, "^orders$", ".*")
            let transport = try self.transport(scope) {
                $0.exchange = .named(scope.name); $0.queues = []
            }
            try await scope.run(transport) { transport in
                let batch = (0..<40).map {
                    NewMessage.numbered($0, key: "k\($0)", route: $0 == 17 ? "secrets" : "orders")
                }
                let outcomes = try await transport.deliver(batch)
                let refused = outcomes[17].reason ?? ""
                #expect(refused.contains("403 ACCESS_REFUSED"))
                #expect(outcomes == batch.indices.map { $0 == 17 ? .retry(refused) : .delivered })
                #expect(transport.health.isUp)
            }
        }
    }
}

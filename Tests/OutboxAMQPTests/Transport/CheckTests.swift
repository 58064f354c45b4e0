import Outbox
import OutboxAMQP
import RabbitMQMailbox
import TestSupport
import Testing

/// A transport is tried without a message.
@Suite(.timeLimit(.minutes(5))) struct CheckTests {
    private func check(
        _ scope: BrokerScope, _ change: (inout AMQPConfiguration) -> Void
    ) async throws -> TransportHealth {
        var health: TransportHealth?
        try await scope.withTransport(change) { health = await $0.check() }
        return try #require(health)
    }

    @Test func whatIsThereIsFoundAndNothingIsPublished() async throws {
        try await BrokerScope.with { scope in
            let name = try MessageTemplate(scope.name)
            try await scope.mailbox.declareQueue(scope.name)
            try await scope.mailbox.declareExchange(scope.name + "-exchange", type: "fanout")
            try await scope.mailbox.bind(scope.name, to: scope.name + "-exchange", key: "")
            let exchange = try await self.check(scope) {
                $0.exchange = .named(scope.name + "-exchange")
                $0.queues = []
            }
            #expect(exchange == .up)
            let queue = try await self.check(scope) {
                $0.exchange = .default
                $0.queues = []
                $0.publishing.routingKey = name
            }
            #expect(queue == .up)
            #expect(try await scope.mailbox.count(of: scope.name) == 0)
        }
    }

    @Test func whatIsMissingIsNamed() async throws {
        try await BrokerScope.with { scope in
            let name = try MessageTemplate(scope.name)
            let exchange = try await self.check(scope) {
                $0.exchange = .named(scope.name + "-missing")
                $0.queues = []
            }
            #expect(!exchange.isUp && exchange.reason?.contains("404") == true, "\(exchange)")
            #expect(exchange.reason?.contains(scope.name + "-missing") == true, "\(exchange)")
            let queue = try await self.check(scope) {
                $0.exchange = .default
                $0.queues = []
                $0.publishing.routingKey = name
            }
            #expect(!queue.isUp && queue.reason?.contains(scope.name) == true, "\(queue)")
            // Which queue it is, a message would say.
            let varies = try await self.check(scope) {
                $0.exchange = .default
                $0.queues = []
                $0.publishing.routingKey = "{route}"
            }
            #expect(varies == .up)
        }
    }

    /// It is asked again, not remembered from when the connection was made.
    @Test func whatGoesAndComesIsNoticed() async throws {
        try await BrokerScope.with { scope in
            let name = scope.name + "-exchange"
            try await scope.mailbox.declareExchange(name, type: "fanout")
            try await scope.withTransport {
                $0.exchange = .named(name)
                $0.queues = []
            } _: { transport in
                #expect(await transport.check() == .up)
                try await scope.mailbox.deleteExchange(name)
                #expect(await !transport.check().isUp)
                try await scope.mailbox.declareExchange(name, type: "fanout")
                #expect(await transport.check() == .up)
            }
        }
    }

    @Test func aLoginThatIsRefusedAndABrokerThatIsNotThereAreTold() async throws {
        try await BrokerScope.with { scope in
            let login = try await self.check(scope) { $0.credentials = .password(user: "guest", password: "wr0ng") }
            #expect(!login.isUp && login.reason?.contains("ACCESS_REFUSED") == true, "\(login)")
            #expect(login.reason?.contains("wr0ng") == false)
            let port = try await self.check(scope) { $0.hosts = [.init("127.0.0.1", port: 1)] }
            #expect(!port.isUp && port.reason?.contains("refused") == true, "\(port)")
        }
    }

    /// The broker says nothing more: a check that is cancelled returns.
    @Test func aCheckThatIsCancelledReturns() async throws {
        try await BrokerScope.with { scope in
            try await scope.withTransport { transport in
                #expect(await transport.check() == .up)
                await scope.proxy.silence(true)
                let check = Task { await transport.check() }
                check.cancel()
                #expect(await !check.value.isUp)
                await scope.proxy.silence(false)
            }
        }
    }
}

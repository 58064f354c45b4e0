import Foundation
import Logging
import NeighbourNames
import Outbox
import OutboxAMQP
import OutboxAWS
import OutboxKafka
import OutboxPostgres
import OutboxPubSub
import OutboxTesting
import OutboxWebhook
import ServiceLifecycle
import Testing

/// What a server's file looks like that uses the outbox beside its own libraries. Nothing in it says of which module a name
/// is: it compiles only while no name is ambiguous.
@Suite(.timeLimit(.minutes(5))) struct PublicNamesTests {
    @Test func theNamesOfOthersAreTheirs() {
        let theirs: [Any] = [
            PostgresClient(), PostgresConnection(), PostgresError(), PostgresNotification(), PostgresQuery(),
            PostgresRow(),
            PostgresTransactionError(), Application(), Environment(), Request(), Response(), Route(), Routes(),
            Session(),
            Database(), Migration(), Migrations(), Migrator(), Model(), Page(), Relation(), Schema(), SQLColumn(),
            SQLRow(),
            SQLStatement(), SQLValue(), Connection(), ConnectionConfiguration(), ConnectionPool(), QueryResult(), Row(),
            Statement(), Transaction(), TransactionError(), CircuitBreaker(), Job(), RetryPolicy(), RetryStrategy(),
            Timestamp(),
        ]
        #expect(theirs.allSatisfy { String(reflecting: type(of: $0)).hasPrefix("NeighbourNames.") })
    }

    @Test func theNamesOfFoundationAreItsOwn() {
        let notification = Notification(name: Notification.Name("order"))
        #expect(notification.name.rawValue == "order")
        let type: Any.Type = NotificationCenter.self
        #expect(String(reflecting: type).hasPrefix("Foundation"))
    }

    @Test func ourNamesNeedNoModule() throws {
        let configuration = try LibPQConfiguration("host=localhost")
        let pool = LibPQConnectionPool(configuration, logger: Logger(label: "test"))
        let statement: LibPQStatement = "SELECT \(1), \(nil as String?), \([UInt8]("a".utf8)), \(.json("{}"))"
        #expect(statement.binds == [.int8(1), .null, .bytes([97]), .json("{}")])
        let routes: RelayRoutes = [
            "mail": .handler(retry: BackoffRetryStrategy.constant(.seconds(1))) { (_: Message) in }
        ]
        let relay = Relay(postgres: configuration, routes: routes)
        let services: [any Service] = [pool, relay]
        #expect(services.count == 2)
        let types: [Any.Type] = [
            LibPQConnection.self, LibPQError.self, LibPQTransactionError.self, LibPQIsolationLevel.self,
            LibPQResult.self,
            LibPQRow.self, LibPQValue.self, OutboxMigrator.self, OutboxJanitor.self, OutboxStatus.self,
            PostgresOutbox.self,
            PostgresStore.self, Destination.self, Outcome.self, Settlement.self, RelayEvent.self, AMQPTransport.self,
            KafkaTransport.self, SQSTransport.self, KinesisTransport.self, SNSTransport.self,
            EventBridgeTransport.self, PubSubTransport.self, WebhookTransport.self, InMemoryOutbox.self,
            ManualClock.self,
        ]
        #expect(types.allSatisfy { String(reflecting: $0).hasPrefix("Outbox") })
    }
}

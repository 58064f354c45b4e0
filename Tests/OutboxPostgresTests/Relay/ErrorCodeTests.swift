import Foundation
import Logging
import Outbox
import OutboxTestServers
import Testing

@testable import OutboxPostgres

/// Which code a real cause has, where a relay opens a session.
@Suite(.schema, .timeLimit(.minutes(10))) struct ErrorCodeTests {
    private func code(_ postgres: LibPQConfiguration, _ schema: OutboxSchema) async throws -> RelayError.Code? {
        let relay = Relay(
            store: PostgresStore(postgres: postgres, schema: schema), routes: ["d": .handler { _ in }],
            logger: Logger(label: "outbox.test") { _ in SwiftLogNoOpLogHandler() })
        // What is tried again would keep the relay.
        do {
            let session = try await PostgresStore(postgres: postgres, schema: schema).openSession(
                subscription: "main", logger: Logger(label: "outbox.test") { _ in SwiftLogNoOpLogHandler() })
            await session.close()
            return nil
        } catch where error.isRetriable {
            return error.code
        } catch {
            let ended = await #expect(throws: RelayError.self) { try await relay.run() }
            #expect(ended?.code == error.code && ended?.message == error.message)
            #expect(error.debugDescription.contains("\(error.code)"))
            return error.code
        }
    }

    @Test func aServerThatIsNotThereIsAConnection() async throws {
        let bench = try await RelayBench.make()
        var postgres = bench.postgres
        postgres.parameters["host"] = "/nonexistent"
        #expect(try await self.code(postgres, bench.schema) == .connection)
    }

    @Test func aDatabaseThatIsNotThereIsMissing() async throws {
        let bench = try await RelayBench.make()
        var postgres = bench.postgres
        postgres.parameters["dbname"] = "no database of this name"
        #expect(try await self.code(postgres, bench.schema) == .databaseMissing)
    }

    @Test func parametersThatAreWrongAreAConfiguration() async throws {
        let bench = try await RelayBench.make()
        var postgres = bench.postgres
        postgres.parameters["port"] = "abc"
        #expect(try await self.code(postgres, bench.schema) == .configuration)
    }

    @Test func aSettingThatIsRefusedIsALogin() async throws {
        let bench = try await RelayBench.make()
        var postgres = bench.postgres
        postgres.parameters["options"] = "-c no_such_setting=1"
        #expect(try await self.code(postgres, bench.schema) == .login)
    }

    @Test(arguments: [
        ("DROP SCHEMA $outbox CASCADE", RelayError.Code.schemaMissing),
        ("DELETE FROM $outbox.migration", .schemaUnversioned), ("DELETE FROM $outbox.migration WHERE version > 1", .schemaTooOld),
        ("INSERT INTO $outbox.migration VALUES (9999, 'future', 'x', 9999)", .schemaTooNew),
        ("ALTER TABLE $outbox.message ALTER id SET INCREMENT BY -1 SET MINVALUE -1000", .log),
    ])
    func aSchemaThatIsNotRight(change: String, expected: RelayError.Code) async throws {
        let bench = try await RelayBench.make()
        #expect(try await self.code(bench.postgres, bench.schema) == nil)
        try await bench.script(change)
        if expected == .log {
            // The log is looked at when streams are begun.
            let error = await #expect(throws: RelayError.self) { try await bench.relay(["d": .handler { _ in }]).run() }
            #expect(error?.code == .log)
            return
        }
        #expect(try await self.code(bench.postgres, bench.schema) == expected)
    }

    @Test(arguments: ["SELECT", "USAGE", "row security"])
    func aRoleThatMayNotIsAPrivilege(lacking: String) async throws {
        let bench = try await RelayBench.make()
        let role = "role of \(bench.schema.name)"
        try await bench.script("CREATE ROLE \"\(role)\" LOGIN; \(bench.schema.grants(relay: role))")
        var postgres = bench.postgres
        postgres.parameters["user"] = role
        #expect(try await self.code(postgres, bench.schema) == nil)
        switch lacking {
        case "SELECT": try await bench.script("REVOKE SELECT ON $outbox.message FROM \"\(role)\"")
        case "USAGE": try await bench.script("REVOKE USAGE ON SCHEMA $outbox FROM \"\(role)\"")
        default: try await bench.script("ALTER TABLE $outbox.message ENABLE ROW LEVEL SECURITY")
        }
        #expect(try await self.code(postgres, bench.schema) == .privilege)
        try await bench.script("DROP OWNED BY \"\(role)\" CASCADE; DROP ROLE \"\(role)\"")
    }

    /// A server that waits for the log of another one that never comes.
    @Test func aStandbyIsOne() async throws {
        let server = try await EphemeralPostgres.start(.init(parameters: ["wal_level": "replica", "max_wal_senders": "2"]))
        let postgres = try LibPQConfiguration(server.url)
        let schema = OutboxSchema()
        let admin = try await LibPQConnection.connect(postgres)
        try await admin.execute(script: schema.sql)
        await admin.close()
        #expect(FileManager.default.createFile(atPath: server.folder + "/data/standby.signal", contents: Data()))
        try await server.restart()
        #expect(try await self.code(postgres, schema) == .standby)
    }

    // MARK: - Kinds of errors

    private struct Unknown: Error {}

    /// What nothing is known of is no reason to begin again: it would be tried for as long as it takes, unseen.
    @Test func anErrorThatIsNotKnownEndsARelay() {
        let error = RelayError(explaining: Unknown())
        #expect(error.code == .unexpected && !error.isRetriable && error.underlying is Unknown)
        for code in [LibPQError.Code.decoding, .invalidValue, .transactionState, .poolClosed, .cancelled] {
            #expect(RelayError(LibPQError(code, "x")).code == .unexpected, "\(code)")
        }
    }

    /// Such as a janitor's.
    @Test func aTransactionsErrorIsThatOfItsCause() {
        let lost = LibPQError(.connectionLost, "x")
        for error in [
            LibPQTransactionError(beginError: lost), LibPQTransactionError(commitError: lost),
            LibPQTransactionError(bodyError: lost), LibPQTransactionError(bodyError: Unknown(), rollbackError: lost),
            LibPQTransactionError(bodyError: LibPQTransactionError(bodyError: lost)),
        ] {
            #expect(RelayError(explaining: error).code == .connection, "\(error)")
        }
        #expect(RelayError(explaining: LibPQTransactionError(bodyError: Unknown())).code == .unexpected)
        #expect(RelayError(explaining: OutboxError(.schemaTooNew, "x")).code == .schemaTooNew)
    }

    /// A code has the same name in both errors, where it means the same.
    @Test func codesOfAnOutboxAreThoseOfARelay() {
        for code in OutboxError.Code.all {
            let relays = code.relayCode
            if RelayError.Code.all.contains(where: { "\($0)" == "\(code)" }) { #expect("\(relays)" == "\(code)") }
        }
        #expect(OutboxError.Code.schemaOccupied.relayCode == .schemaMissing)
        #expect(OutboxError.Code.streamMissing.relayCode == .unexpected)
    }
}

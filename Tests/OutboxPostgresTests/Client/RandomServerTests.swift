import Foundation
import Synchronization
import TestSupport
import Testing

@testable import OutboxPostgres

/// Every legal order of messages: no error is swallowed, no call hangs, nothing counts as made that was not, notifications arrive all and in
/// order, and the connection is usable afterwards or says that it is lost.
///
/// Short in every run; as long as `OUTBOX_STRESS_SECONDS` says.
@Suite(.timeLimit(.minutes(StressSettings.minutes(atLeast: 10)))) struct RandomServerTests {
    private static let duration = Duration.seconds(StressSettings.seconds(otherwise: 3))

    /// A run that failed says its seed; put it here to have it again.
    private static let seed: UInt64? = nil

    @Test func nothingIsSwallowedWhateverTheServerSays() async throws {
        let seed = Self.seed ?? UInt64.random(in: 0 ... .max)
        let end = ContinuousClock.now + Self.duration
        var random = SplitMix(state: seed)
        var rounds = 0
        var outcomes: [String: Int] = [:]
        while ContinuousClock.now < end || rounds < 300 {
            var odds = FakeServer.Odds()
            // Now and then a server that refuses much, or cuts nothing.
            if Int.random(in: 0..<4, using: &random) == 0 { odds.errorAtSync = 0.4 }
            if Int.random(in: 0..<4, using: &random) == 0 { (odds.cut, odds.fatal) = (0, 0) }
            let server = try FakeServer(seed: random.next(), odds: odds)
            defer { server.end() }
            var configuration = try LibPQConfiguration(
                "host=\(server.folder) port=5432 user=u dbname=d gssencmode=disable")
            configuration.answerTimeout = .seconds(20)
            var connection: LibPQConnection?
            var notified: [String] = []
            for _ in 0..<100 {
                rounds += 1
                if connection == nil {
                    notified = []
                    connection = try? await LibPQConnection.connect(configuration)
                }
                guard let open = connection else { continue }
                let operation = Operation(rounds, using: &random)
                server.begin()
                let error = await thrown { try await operation.run(on: open) }
                let record = server.record
                let where_ = Comment(
                    rawValue:
                        "seed \(seed), round \(rounds): \(operation), \(String(describing: error)), \(record.errors)")
                check(operation, error, record, where_)
                notified += (await open.takeArrivedNotifications() ?? []).map(\.payload)
                if await open.isUsable {
                    // Or the next statement rolls back first.
                    let isIdle = await open.transactionStatus == .idle
                    let isAtRest = isIdle || open.abandonedTransaction.load(ordering: .acquiring) != 0
                    #expect(isAtRest, where_)
                    #expect(notified == record.notified, where_)
                } else {
                    #expect(record.notified.starts(with: notified) || notified.starts(with: record.notified), where_)
                    connection = nil
                }
                outcomes[error == nil ? "made" : clientError(error).map { "\($0.code)" } ?? "?", default: 0] += 1
            }
            await connection?.close()
        }
        // All that can be has been.
        for outcome in ["made", "server", "connectionLost"] {
            #expect(outcomes[outcome, default: 0] > 0, "\(outcomes), seed \(seed)")
        }
    }

    private func check(_ operation: Operation, _ error: (any Error)?, _ record: FakeServer.Record, _ where_: Comment) {
        let durable = operation.texts.filter { record.durable.contains($0) }
        guard let error else {
            #expect(durable.count == operation.texts.count, where_)
            #expect(record.errors.isEmpty, where_)
            return
        }
        guard let failure = clientError(error) else {
            Issue.record(where_)
            return
        }
        switch failure.code {
        case .server:
            #expect(failure.sqlState == record.errors.first, where_)
            if operation.isAtomic {
                #expect(durable.isEmpty, where_)
            } else {
                #expect(durable.count < operation.texts.count, where_)
            }
        case .transactionState:
            #expect(durable.isEmpty && !record.errors.isEmpty, where_)
        case .connectionLost:
            // Of a transaction it is known, unless COMMIT was on its way.
            if case .transaction = operation.kind, !failure.isOutcomeUnknown { #expect(durable.isEmpty, where_) }
        default:
            Issue.record(where_)
        }
    }

    private struct Operation: CustomStringConvertible {
        enum Kind { case query, pipeline, severalTransactions(after: Int), script, copy, transaction }

        let kind: Kind
        /// What is durable if it succeeds.
        let texts: [String]
        let name: String?

        init(_ number: Int, using random: inout SplitMix) {
            let count = Int.random(in: 1...4, using: &random)
            let texts = (0..<count).map { "S \(number) \($0)" }
            name = Bool.random(using: &random) ? "named" : nil
            switch Int.random(in: 0..<6, using: &random) {
            case 0: (kind, self.texts) = (.query, [texts[0]])
            case 1: (kind, self.texts) = (.pipeline, texts)
            case 2: (kind, self.texts) = (.severalTransactions(after: Int.random(in: 0..<count, using: &random)), texts)
            case 3: (kind, self.texts) = (.script, texts)
            case 4: (kind, self.texts) = (.copy, ["COPY \(number)"])
            default: (kind, self.texts) = (.transaction, texts)
            }
        }

        var isAtomic: Bool { if case .severalTransactions = kind { false } else { true } }

        var description: String { "\(kind) \(texts) \(name ?? "")" }

        private var statements: [LibPQStatement] {
            texts.enumerated().map { index, text in LibPQStatement(text, name: name.map { "\($0) \(text) \(index)" }) }
        }

        func run(on connection: LibPQConnection) async throws {
            switch kind {
            case .query: try await connection.query(statements[0])
            case .pipeline:
                let results = try await connection.pipeline(statements)
                #expect(results.count == texts.count)
            case .severalTransactions(let index):
                let results = try await connection.pipeline(statements, endingTransactionsAfter: [index])
                #expect(results.count == texts.count)
            case .script: try await connection.execute(script: texts.joined(separator: ";"))
            case .copy:
                let count = try await connection.copyIn(texts[0]) { writer in
                    try await writer.write("a\n")
                    try await writer.write("b\n")
                }
                #expect(count == 2)
            case .transaction:
                try await connection.withTransaction { transaction in
                    for statement in statements { try await transaction.query(statement) }
                }
            }
        }
    }
}

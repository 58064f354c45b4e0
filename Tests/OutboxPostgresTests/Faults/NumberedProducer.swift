import Outbox
import Synchronization

@testable import OutboxPostgres

/// A producer that numbers its messages, outlives its server, and enqueues none twice.
final class NumberedProducer: Sendable {
    /// How it enqueues.
    enum Kind: CaseIterable {
        case plain
        /// `PREPARE TRANSACTION`, which cannot ring.
        case prepared
        /// What it reads is what others of its kind write: the server refuses some of their commits with 40001.
        case serializable
    }

    private let bench: RelayBench
    private let name: String
    private let kind: Kind
    private let acknowledged = Atomic(0)
    private let isOver = Atomic(false)

    /// - Parameter name: What the texts of its messages and their keys begin with.
    init(_ bench: RelayBench, name: String = "", _ kind: Kind = .plain) {
        self.bench = bench
        self.name = name
        self.kind = kind
    }

    /// How many the server has said that it has. Their numbers are those from 1 on, and those of a key rise.
    var count: Int { self.acknowledged.load(ordering: .relaxed) }

    func stop() { self.isOver.store(true, ordering: .relaxed) }

    /// Enqueues until it is stopped.
    func run() async throws {
        var session: LibPQConnection?
        while !self.isOver.load(ordering: .relaxed) {
            do {
                if let connection = session, await connection.isUsable {
                    try await self.enqueue(self.count + 1, on: connection)
                    self.acknowledged.add(1, ordering: .relaxed)
                } else {
                    session = try await LibPQConnection.connect(self.bench.postgres)
                }
            } catch {
                guard clientError(error)?.isRetriable == true else { throw error }
                try await Task.sleep(for: .milliseconds(5))
            }
        }
        await session?.close()
    }

    /// The idempotency key makes one message of several attempts at the same.
    private func enqueue(_ number: Int, on connection: LibPQConnection) async throws {
        let text = "\(self.name)\(number)"
        let call = LibPQStatement(
            self.bench.render(
                """
                SELECT $outbox.enqueue('d', '\(text)', key => 'k\(self.name)\(number % 7)', idempotency_key => '\(text)')
                """), [])
        switch self.kind {
        case .plain:
            try await connection.query(call)
        case .prepared:
            let name = "'\(self.bench.schema.name) \(text)'"
            try await connection.execute(script: "BEGIN; SET LOCAL outbox.doorbell = 'off'")
            try await connection.query(call)
            try await connection.execute(script: "PREPARE TRANSACTION \(name)")
            try await connection.execute(script: "COMMIT PREPARED \(name)")
        case .serializable:
            try await connection.withTransaction(isolation: .serializable) { transaction in
                try await transaction.query(LibPQStatement(self.bench.render("SELECT sum(n) FROM $outbox.work"), []))
                try await transaction.query(call)
                try await transaction.query(
                    LibPQStatement(self.bench.render("INSERT INTO $outbox.work VALUES (\(number))"), []))
            }
        }
    }
}

extension Deliveries {
    /// Whether all numbers of a producer have come, those of each key in their order when they came first.
    func hasAll(of name: String = "", upTo count: Int) -> Bool {
        var seen: Set<String> = []
        let first = self.all.filter { $0.text.hasPrefix(name) && seen.insert($0.text).inserted }
        return first.count == count
            && Dictionary(grouping: first, by: \.key).values.allSatisfy { items in
                let numbers = items.map { Int($0.text.dropFirst(name.count)) ?? 0 }
                return numbers == numbers.sorted()
            }
    }

    /// How many came again.
    var repeats: Int { self.count - Set(self.texts).count }
}

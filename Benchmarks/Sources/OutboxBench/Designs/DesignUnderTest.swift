import BenchmarkDesigns
import BenchmarkReferences
import Synchronization

/// A usual design in a schema of its own, with a worker in C.
struct DesignUnderTest: Sendable {
    let design: Design
    let outbox: BenchOutbox
    private let channel: String?

    /// Creates the design's table.
    init(_ design: Design, _ outbox: BenchOutbox) async throws {
        self.design = design
        self.outbox = outbox
        try await outbox.execute(design.table)
        let oid = try await outbox.count("SELECT '{{schema}}.\(design.tableName)'::regclass::oid::bigint")
        self.channel = design.notifies ? "status_\(oid)" : nil
    }

    /// Empties the table. No worker may run.
    func empty() async throws {
        try await self.outbox.execute("TRUNCATE {{schema}}.\(self.design.tableName)")
    }

    /// Runs `body` beside a worker, which ends when it has delivered as many messages as `body` says.
    ///
    /// - Returns: What the worker did.
    func withWorker(_ body: (WorkerGoal) async throws -> Void) async throws -> Reference.Outcome {
        let goal = WorkerGoal()
        async let worker = Reference.run(self.design.name) {
            unsafe reference_work(
                self.outbox.server.connectionString, self.outbox.render(self.design.claim),
                self.outbox.render(self.design.finish), self.channel, self.design.isTransaction ? 1 : 0, 1000,
                goal.pointer)
        }
        do {
            try await body(goal)
        } catch {
            goal.set(0)
            _ = try? await worker
            throw error
        }
        let outcome = try await worker
        let expected = goal.messages
        if outcome.messages != expected {
            throw BenchFailure(
                "\(self.design.name) has delivered \(outcome.messages) of \(expected) messages")
        }
        return outcome
    }
}

/// How many messages a worker has to deliver, which may become known while it is at work.
@safe final class WorkerGoal: @unchecked Sendable { // what the pointer leads to is atomic, and freed when nobody has it
    fileprivate let pointer: OpaquePointer?
    private let last = Atomic(0)

    var messages: Int { self.last.load(ordering: .relaxed) }

    init() {
        unsafe self.pointer = reference_goal_create(.max)
    }

    deinit {
        unsafe reference_goal_free(self.pointer)
    }

    func set(_ messages: Int) {
        self.last.store(messages, ordering: .relaxed)
        unsafe reference_goal_set(self.pointer, Int64(messages))
    }
}

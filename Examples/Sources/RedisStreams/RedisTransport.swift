import FlyingSocks
import Outbox
import Synchronization

/// A custom transport: each message becomes an entry of a Redis stream, which is named by its route.
///
/// An entry has the fields `id`, `key`, `payload` and, for each header, `header.NAME`. Redis has no transactions with Postgres
/// and no idempotent appends, so after a crash an entry can be there twice, with the same `id`.
final class RedisTransport: Transport {
    private struct State {
        /// Connections that no delivery uses.
        var idle: [RedisConnection] = []
        var deliveries = 0
        var isClosing = false
        var health = TransportHealth.starting
    }

    /// How many commands of a batch wait for their answers.
    private static let window = 100

    private let address: any SocketAddress
    private let maximumPayload: Int
    private let state = Mutex(State())
    private let (closed, close) = AsyncStream.makeStream(of: Never.self)

    /// - Parameter maximumPayload: What the server's `proto-max-bulk-len` is. A longer value ends the connection, with all that is
    ///   on its way, so it is not even sent.
    init(address: any SocketAddress, maximumPayload: Int = 64 << 20) {
        self.address = address
        self.maximumPayload = maximumPayload
    }

    var description: String { "Redis" }

    var health: TransportHealth { state.withLock(\.health) }

    /// Each delivery has a connection for itself while it lasts, so there is nothing to do but to end.
    func run() async throws {
        for await _ in closed {}
        let idle = state.withLock { state in
            state.isClosing = true
            state.health = .closed
            return state.idle
        }
        for connection in idle { connection.close() }
    }

    func close() async {
        let isIdle = state.withLock { state in
            state.isClosing = true
            return state.deliveries == 0
        }
        if isIdle { close.finish() }
    }

    func deliver(_ batch: MessageBatch) async throws -> [Outcome] {
        let isClosing = state.withLock { state in
            if !state.isClosing { state.deliveries += 1 }
            return state.isClosing
        }
        if isClosing { return batch.map { _ in .unavailable("closed") } }
        defer { end() }
        var schedule = BatchSchedule(batch)
        do {
            let connection: RedisConnection
            if let idle = state.withLock({ $0.idle.popLast() }) {
                connection = idle
            } else {
                connection = try await RedisConnection(address)
            }
            do {
                try await append(batch, &schedule, connection)
            } catch {
                // Answers may be under way that belong to no delivery any more.
                connection.close()
                throw error
            }
            state.withLock { state in
                state.health = .up
                state.idle.append(connection)
            }
        } catch {
            // A cancelled delivery has not failed.
            try Task.checkCancellation()
            state.withLock { $0.health = .down("\(error)") }
            // Whatever has no answer may be there or not: it comes again.
            schedule.settleRest(.unavailable("\(error)"))
        }
        return schedule.outcomes
    }

    private func end() {
        let isLast = state.withLock { state in
            state.deliveries -= 1
            return state.isClosing && state.deliveries == 0
        }
        if isLast { close.finish() }
    }

    /// Sends as much as the window and the order by key allow, and settles what is answered.
    private func append(
        _ batch: MessageBatch, _ schedule: inout BatchSchedule, _ connection: RedisConnection
    ) async throws {
        while !schedule.isDone {
            var commands = RedisCommands()
            // Redis answers in the order of the commands.
            var sent: [Int] = []
            while sent.count < Self.window, let index = schedule.next() {
                let message = batch[index]
                let length = message.withPayload { $0.count }
                if length > maximumPayload {
                    schedule.settle(index, .reject("\(length) bytes; Redis takes \(maximumPayload)"))
                    continue
                }
                commands.append(Self.command(for: message))
                sent.append(index)
            }
            try await connection.send(commands)
            for index in sent {
                schedule.settle(index, Self.outcome(of: try await connection.answer()))
            }
        }
    }

    private static func command(for message: Message) -> [[UInt8]] {
        var words: [[UInt8]] = [
            Array("XADD".utf8), Array((message.route ?? message.destination.name).utf8), Array("*".utf8),
            Array("id".utf8), Array("\(message.id)".utf8), Array("key".utf8), Array((message.key ?? "").utf8),
            Array("payload".utf8), message.payload,
        ]
        for (name, value) in message.headers { words += [Array("header.\(name)".utf8), Array(value.utf8)] }
        return words
    }

    private static func outcome(of answer: RedisAnswer) -> Outcome {
        guard case .error(let text) = answer else { return .delivered }
        // No message would fare better.
        let outages = ["OOM", "LOADING", "READONLY", "MASTERDOWN", "MISCONF", "NOAUTH", "CLUSTERDOWN", "BUSY"]
        return outages.contains { text.hasPrefix($0 + " ") } ? .unavailable(text) : .retry(text)
    }
}

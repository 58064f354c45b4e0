import Outbox
import OutboxRuntime
import Synchronization

/// Lets batches that come one after the other share requests: the first waits for others, and all are delivered as one.
///
/// Batches that are on their way at the same time have no key in common, so together they are a batch like any other.
final class BatchGatherer: Sendable {
    /// Only batches of one destination share requests: in another, a key is another key.
    private struct Kind: Hashable {
        let destination: String
        let isOrderedByKey: Bool
    }

    /// What a batch that came later waits for: its outcomes, or nil where the first one was cancelled.
    private typealias Share = Answer<[Outcome]?>

    private final class Gathering: Sendable {
        struct Contents {
            var messages: [Message]
            /// The places of batches that came later.
            var shares: [(range: Range<Int>, answer: Share)] = []
        }

        let contents: Mutex<Contents>
        let isFull = Latch()

        init(_ messages: [Message]) { self.contents = Mutex(Contents(messages: messages)) }
    }

    private let linger: Duration
    /// So many messages fill a request: nothing waits with them.
    private let fullCount: Int
    private let gatherings = Mutex<[Kind: Gathering]>([:])
    private let isClosed = Latch()

    init(linger: Duration, fullCount: Int) {
        self.linger = linger
        self.fullCount = fullCount
    }

    /// Delivers a batch, perhaps with others.
    ///
    /// - Parameter deliver: Delivers what was gathered.
    func deliver(
        _ batch: MessageBatch, by deliver: (MessageBatch) async throws -> [Outcome]
    ) async throws -> [Outcome] {
        guard self.linger > .zero, !self.isClosed.isOpen, batch.count < self.fullCount, let first = batch.first else {
            return try await deliver(batch)
        }
        let kind = Kind(destination: first.destination.name, isOrderedByKey: batch.isOrderedByKey)
        switch self.join(batch, kind) {
        case .first(let gathering): return try await self.lead(gathering, batch, kind, deliver)
        case .later(let share):
            // What the first one leaves behind when it is cancelled is delivered alone.
            if let outcomes = try await share.wait() { return outcomes }
            return try await deliver(batch)
        }
    }

    /// Nothing waits for others any more.
    func close() { self.isClosed.open() }

    private enum Membership {
        case first(Gathering)
        case later(Share)
    }

    private func join(_ batch: MessageBatch, _ kind: Kind) -> Membership {
        self.gatherings.withLock { gatherings in
            guard let gathering = gatherings[kind] else {
                let gathering = Gathering(batch.messages)
                gatherings[kind] = gathering
                return .first(gathering)
            }
            let share = Share()
            let isFull = gathering.contents.withLock { contents in
                let start = contents.messages.count
                contents.messages += batch.messages
                contents.shares.append((start..<contents.messages.count, share))
                return contents.messages.count >= self.fullCount
            }
            if isFull {
                gatherings[kind] = nil
                gathering.isFull.open()
            }
            return .later(share)
        }
    }

    private func lead(
        _ gathering: Gathering, _ batch: MessageBatch, _ kind: Kind,
        _ deliver: (MessageBatch) async throws -> [Outcome]
    ) async throws -> [Outcome] {
        await self.wait(for: gathering)
        self.gatherings.withLock { gatherings in
            if gatherings[kind] === gathering { gatherings[kind] = nil }
        }
        let (messages, shares) = gathering.contents.withLock { ($0.messages, $0.shares) }
        do {
            let outcomes = try await deliver(MessageBatch(messages, isOrderedByKey: batch.isOrderedByKey))
            for share in shares { share.answer.give(.success(Array(outcomes[share.range]))) }
            return Array(outcomes.prefix(batch.count))
        } catch {
            for share in shares { share.answer.give(.success(nil)) }
            throw error
        }
    }

    /// Waits until the time is over, a request is full, or the transport closes.
    private func wait(for gathering: Gathering) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await gathering.isFull.wait() }
            group.addTask { await self.isClosed.wait() }
            group.addTask { try? await Task.sleep(for: self.linger) }
            await group.next()
            group.cancelAll()
        }
    }
}

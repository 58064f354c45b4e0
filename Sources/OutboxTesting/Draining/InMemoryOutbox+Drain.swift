public import Logging
public import Outbox
import OutboxRuntime

extension InMemoryOutbox {
    /// Delivers everything that waits, by a relay with these routes, until nothing of their destinations is left; messages that handlers
    /// enqueue meanwhile, too.
    ///
    /// ```swift
    /// let result = try await outbox.drain(routes: [.mail: .handler { message in try await mailer.send(message) }])
    /// #expect(result.delivered.count == 1)
    /// ```
    ///
    /// No pause is waited for. When all that is left is to be tried later, or is scheduled for later, the outbox's ``ManualClock`` is advanced
    /// to the time of the next one; an outbox without one goes on as if the time had passed. Retry strategies, order by key and time
    /// limits are those of the routes. Breakers are off, because their probes go by the real clock: a message that finds its destination
    /// unavailable is deferred, and that attempt does not count.
    ///
    /// - Parameters:
    ///   - routes: What is delivered, and how. Messages of other destinations wait on.
    ///   - subscription: Whose messages. Default "main".
    ///   - retries: How often the clock is moved on for one message. One that was put off more often waits on, so that a destination that is
    ///     never available ends the call all the same. Default 100.
    ///   - logger: Where the relay logs. Default: nowhere.
    /// - Returns: What became of each message that waited, or came meanwhile.
    /// - Throws: ``/Outbox/RelayError`` with the code `misuse` if a relay of the subscription runs already; what ends a relay otherwise.
    @discardableResult
    public func drain(
        routes: RelayRoutes, subscription: String = "main", retries: Int = 100,
        logger: Logger = Logger(label: "outbox.drain") { _ in SwiftLogNoOpLogHandler() }
    ) async throws -> DrainResult {
        let isServed = self.withState { state, _ in state.isServed(subscription) }
        if isServed {
            throw RelayError(.misuse, "A relay of the subscription “\(subscription)” runs: it has the streams.")
        }
        var settings = RelaySettings()
        settings.subscription = subscription
        settings.commit.interval = .zero
        settings.reconnect.initialDelay = .zero
        let relay = Relay(store: self, routes: routes.withoutBreakers, settings: settings, logger: logger)
        let found = self.waiting(subscription)
        let events = relay.events(bufferingNewest: .max)
        return try await withThrowingTaskGroup(of: [Int64: Int]?.self) { group in
            group.addTask {
                try await relay.run()
                return nil
            }
            group.addTask {
                await self.moveOn(subscription, retries: retries) { routes.handler(for: $0) != nil }
                relay.stop()
                return nil
            }
            group.addTask {
                var attempts: [Int64: Int] = [:]
                for await event in events {
                    switch event {
                    case .delivered(let id, _, let attempt): attempts[id] = attempt
                    case .deadLettered(let id, _, let count, _, _): attempts[id] = count
                    default: break
                    }
                }
                return attempts
            }
            var attempts: [Int64: Int] = [:]
            while let ended = try await group.next() { attempts.merge(ended ?? [:]) { $1 } }
            return self.result(subscription, found: found, attempts: attempts)
        }
    }

    /// Moves the clock on whenever everything that is left is for later. Returns when nothing is left, or the task is cancelled.
    private func moveOn(
        _ subscription: String, retries: Int, isDelivered: @Sendable (Destination) -> Bool
    ) async {
        let signal = Signal()
        let watch = self.watch(signal)
        defer { self.unwatch(watch) }
        var jumps: [Int64: Int] = [:]
        while !Task.isCancelled {
            _ = signal.lower()
            let (isBusy, rows, now) = self.withState { state, now in
                let (isBusy, rows) = state.progress(of: subscription, now: now, isDelivered)
                return (isBusy, rows, now)
            }
            if isBusy {
                await signal.wait(until: nil)
                continue
            }
            let due = rows.filter { jumps[$0.id, default: 0] < retries }.compactMap(\.due).min()
            guard let due else { return }
            for row in rows { if let time = row.due, time <= due { jumps[row.id, default: 0] += 1 } }
            self.pass(due.since(now))
        }
    }

    private func waiting(_ subscription: String) -> Set<Int64> {
        Set(self.pending(subscription: subscription).map(\.id) + self.deferred(subscription: subscription).map(\.id))
    }

    /// - Parameters:
    ///   - found: What waited before.
    ///   - attempts: How often what was settled was tried.
    private func result(_ subscription: String, found: Set<Int64>, attempts: [Int64: Int]) -> DrainResult {
        let deferred = Dictionary(self.deferred(subscription: subscription).map { ($0.id, $0) }) { $1 }
        let dead = Dictionary(self.deadLetters(subscription: subscription).map { ($0.id, $0) }) { $1 }
        let pending = Set(self.pending(subscription: subscription).map(\.id))
        let ids = found.union(attempts.keys).union(pending).union(deferred.keys)
        let contents = Dictionary(self.enqueued().map { ($0.id, $0.message) }) { $1 }
        return DrainResult(
            messages: ids.sorted().compactMap { id in
                guard let message = contents[id] else { return nil }
                if let row = deferred[id] {
                    return DrainedMessage(
                        id: id, message: message, attempts: row.attempts, ending: .waiting(error: row.error))
                }
                if let row = dead[id] {
                    return DrainedMessage(
                        id: id, message: message, attempts: row.attempts, ending: .dead(row.reason, error: row.error))
                }
                return DrainedMessage(
                    id: id, message: message, attempts: pending.contains(id) ? 0 : attempts[id] ?? 0,
                    ending: pending.contains(id) ? .waiting(error: nil) : .delivered)
            })
    }
}

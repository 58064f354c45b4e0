import Logging
import Outbox
import OutboxPostgres
import OutboxRuntime
import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Looks at the database for scrapes, in a session that is the listener's own and is opened at the first one.
///
/// Looks are made by ``run()``, so that a client that goes away ends none.
final class DatabaseLooks: Sendable {
    private struct State {
        var schedule = LookSchedule()
        var last = DatabaseLook()
        /// Opened when the look that goes on, or is to begin, has ended.
        var ending = Latch()
        var target: LookTarget
        /// How often it was said that what a look finds is old from then on.
        var changes = 0
        /// How often it had been when the look began that goes on, and before the last one.
        var changesSeen = 0
        var changesInLast = 0
        /// Whether looks are compared with those before them.
        var hasRates = false
    }

    private let state: Mutex<State>
    private let request = Signal()
    private let logger: Logger
    /// What looks have found within the last hour.
    let history = LookHistory()
    private let now: @Sendable () -> ContinuousClock.Instant

    /// - Parameter now: The clock by which a look is recent.
    init(
        target: LookTarget, logger: Logger, now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }
    ) {
        self.state = Mutex(State(target: target))
        self.logger = logger
        self.now = now
    }

    /// Has another outbox looked at, or the same one by another login.
    func follow(_ target: LookTarget) {
        self.state.withLock { state in
            if state.target == target { return }
            state.target = target
            state.last = DatabaseLook()
            state.changes += 1
            state.schedule.forget()
            self.history.clear()
        }
    }

    /// Which outbox is looked at.
    var target: LookTarget { self.state.withLock(\.target) }

    /// Something has been changed: what the last look has found is old.
    func lookAgain() {
        self.state.withLock { state in
            state.changes += 1
            state.schedule.forget()
        }
    }

    /// From here on looks say how many messages a second were passed since the one before.
    func keepRates() { self.state.withLock { $0.hasRates = true } }

    /// What is known now, after a look where there was none a moment ago.
    func current() async -> DatabaseLook { await self.look(patience: .zero) }

    /// What is known, without a wait where there was a look within ``LookSchedule/patience``: for a person, who sees when it was, and whose page
    /// has the next one at once.
    func recent() async -> DatabaseLook { await self.look(patience: LookSchedule.patience) }

    private func look(patience: Duration) async -> DatabaseLook {
        while true {
            let (step, ending) = self.state.withLock { state in
                // That a look has failed is soon no news.
                let patience = state.last.figures == nil ? .zero : patience
                let step = state.schedule.ask(now: self.now(), patience: patience)
                if step == .begin || step == .renew {
                    state.ending = Latch()
                    state.changesSeen = state.changes
                }
                return (step, state.ending)
            }
            if step == .begin || step == .renew { self.request.raise() }
            let waits = step == .begin || step == .wait
            if waits { await Self.wait(for: ending) }
            let look = self.state.withLock { state -> DatabaseLook? in
                var look = state.last
                // It goes on for longer than it may.
                if waits, !ending.isOpen {
                    (look.figures, look.status) = (nil, nil)
                    look.failure = "the server has not answered yet"
                } else if waits, state.changesInLast < state.changes {
                    // What was waited for was of another outbox, or had begun before a change.
                    return nil
                }
                return look
            }
            if let look { return look }
        }
    }

    /// Waits until a latch is open, but not for longer than a look may take and a moment.
    private static func wait(for latch: Latch) async {
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask { await latch.wait() }
            tasks.addTask { try? await Task.sleep(for: LookAttempt.limit + .seconds(1)) }
            await tasks.next()
            tasks.cancelAll()
        }
    }

    /// Makes looks until the task is cancelled.
    func run() async {
        var session: (connection: LibPQConnection, target: LookTarget)?
        var isFailing = false
        while !Task.isCancelled {
            await self.request.wait(until: nil)
            _ = self.request.lower()
            if Task.isCancelled { break }
            let (target, countLimit, earlier) = self.state.withLock { state in
                (state.target, state.schedule.countLimit, state.hasRates ? state.last.status : nil)
            }
            if let last = session, last.target != target {
                await last.connection.close()
                session = nil
            }
            let attempt = LookAttempt(target: target, countLimit: countLimit, since: earlier)
            let begin = self.now()
            do {
                let (connection, status) = try await attempt.run(on: session?.connection)
                session = (connection, target)
                if isFailing { self.logger.notice("The database can be looked at for metrics again") }
                isFailing = false
                self.ended(begin, attempt, .success(status))
            } catch {
                // Closed by the attempt.
                session = nil
                if Task.isCancelled { break }
                if !isFailing {
                    self.logger.warning(
                        "The database cannot be looked at for metrics",
                        metadata: ["error": "\(CommandFailure(error).message)"])
                }
                isFailing = true
                self.ended(begin, attempt, .failure(CommandFailure(error)))
            }
        }
        await session?.connection.close()
    }

    private func ended(
        _ begin: ContinuousClock.Instant, _ attempt: LookAttempt, _ result: Result<OutboxStatus, CommandFailure>
    ) {
        let now = self.now()
        let time = now - begin
        var (status, failure): (OutboxStatus?, String?)
        switch result {
        case .success(let found): status = found
        case .failure(let error): failure = error.message
        }
        let figures = status.map { DatabaseFigures($0) }
        self.state.withLock { state in
            state.schedule.ended(
                after: time, wasTooLong: figures == nil && attempt.hasCountedTooLong(now: now), now: now)
            state.changesInLast = state.changesSeen
            if state.changesSeen < state.changes { state.schedule.forget() }
            // It was of another outbox than the one that is asked about now.
            if attempt.target != state.target { return state.ending }
            state.last = DatabaseLook(
                figures: figures, status: status, failure: failure, countLimit: attempt.countLimit, time: time,
                succeededAt: figures == nil ? state.last.succeededAt : Date())
            if let figures { self.history.add(LookHistory.Point(figures, at: Date())) }
            return state.ending
        }.open()
    }
}

import Outbox
import OutboxRuntime

/// A relay's session with an ``InMemoryOutbox``.
actor InMemorySession: RelaySession {
    private let outbox: InMemoryOutbox
    private let number: Int
    private let signal: Signal

    init(outbox: InMemoryOutbox, number: Int, signal: Signal) {
        self.outbox = outbox
        self.number = number
        self.signal = signal
    }

    deinit {
        self.end()
    }

    private nonisolated func end() {
        for signal in self.outbox.withState({ state, _ in state.closeSession(self.number) }) { signal.raise() }
    }

    func attach(
        _ destinations: [Destination], andOthers: Bool, from position: FirstPosition, lookingEvery interval: Duration
    ) async throws -> [AttachedStream] {
        let (attached, signals) = try self.outbox.withState { state, now throws(RelayError) in
            try state.attach(
                destinations, andOthers: andOthers, from: position, session: self.number, now: now)
        }
        for signal in signals { signal.raise() }
        return attached
    }

    func release(_ streams: [StreamID]) async throws {
        let signals = try self.outbox.withState { state, _ throws(RelayError) in
            try state.release(streams, session: self.number)
        }
        for signal in signals { signal.raise() }
    }

    func read(_ requests: [ReadRequest], until deadline: ContinuousClock.Instant?) async throws -> ReadResult {
        while true {
            try Task.checkCancellation()
            let isWoken = self.signal.lower()
            let asked = ContinuousClock.now
            let result = try self.outbox.withState { state, now throws(RelayError) in
                try state.read(requests, session: self.number, now: now)
            }
            if var result {
                result.askedAt = asked
                return result
            }
            if isWoken { return ReadResult(lookedAtEverything: true) }
            if let deadline, deadline <= .now { return ReadResult(lookedAtEverything: true) }
            await self.signal.wait(until: deadline)
        }
    }

    func commit(_ settlements: [Settlement]) async throws -> [StreamID: RelayError] {
        try self.outbox.withState { state, now throws(RelayError) in
            try state.settle(settlements, session: self.number, now: now)
        }
        self.outbox.tellWatchers()
        return [:]
    }

    func confirm() async throws {
        _ = try await self.deferredKeys()
    }

    func deferredKeys() async throws -> [StreamID: [UInt64: Int]] {
        try self.outbox.withState { state, _ throws(RelayError) in
            try state.deferredKeys(session: self.number)
        }
    }

    nonisolated func wake() {
        self.signal.raise(wake: true)
    }

    func close() async {
        self.end()
        // A call that still reads is told that the session is closed.
        self.signal.raise()
    }
}

import Synchronization

#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// The time of day for tests: it stands still until it is advanced.
///
/// ```swift
/// let clock = ManualClock()
/// let outbox = InMemoryOutbox(clock: clock)
/// // … a delivery fails and is to be tried again in a minute
/// clock.advance(by: .seconds(60))
/// ```
public final class ManualClock: Sendable {
    private struct State {
        var now: Timestamp
        var observers: [Int: @Sendable () -> Bool] = [:]
        var lastObserver = 0
    }

    private let state: Mutex<State>

    /// Creates a clock that shows a time, by default noon of 1 January 2030, UTC.
    public init(now: Date = Date(timeIntervalSince1970: 1_893_499_200)) {
        self.state = Mutex(State(now: Timestamp(now)))
    }

    /// What the clock shows, in whole microseconds.
    public var now: Date { self.timestamp.date }

    /// Advances the clock. Relays that wait for a deferred message of a store with this clock look again.
    ///
    /// - Parameter duration: By how much; a negative duration sets the clock back.
    public func advance(by duration: Duration) {
        let observers = self.state.withLock { state in
            state.now = state.now + duration
            return state.observers
        }
        // Called outside of the lock: an observer asks for the time.
        let gone = observers.filter { !$0.value() }.keys
        self.state.withLock { state in
            for number in gone { state.observers[number] = nil }
        }
    }

    var timestamp: Timestamp { self.state.withLock(\.now) }

    /// Calls a closure after each advance, until it returns false.
    func observe(_ observer: @escaping @Sendable () -> Bool) {
        self.state.withLock { state in
            state.lastObserver += 1
            state.observers[state.lastObserver] = observer
        }
    }
}

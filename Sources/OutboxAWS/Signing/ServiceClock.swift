import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The service's time, by which requests are signed: this machine's, until the service has refused it.
final class ServiceClock: Sendable {
    private struct State {
        /// What is added to this machine's time, in seconds.
        var offset: Int64 = 0
        /// When it was last corrected, by this machine's time.
        var correctedAt: Int64?
    }

    private let now: @Sendable () -> Date
    private let state = Mutex(State())

    /// - Parameter now: This machine's clock.
    init(now: @escaping @Sendable () -> Date = { Date() }) {
        self.now = now
    }

    /// Signatures are valid for five minutes, of which a request may wait a part for its turn.
    private static let smallestError: Int64 = 120
    /// What two answers can differ by.
    private static let precision: Int64 = 30
    /// A service whose time changes from answer to answer is not followed.
    private static let pause: Int64 = 60

    /// This machine's time.
    var machineTime: UTCTime { UTCTime(self.now()) }

    /// The service's time.
    var time: UTCTime {
        let machine = self.machineTime.seconds
        return UTCTime(seconds: machine + self.state.withLock(\.offset))
    }

    /// What a service's time says of a request that it has refused.
    enum Correction: Sendable, Hashable {
        /// The time is not what is wrong, or no correction helps.
        case none
        /// The request was signed before a correction.
        case made
        /// From now on the service's time is used, by which this machine's clock is so many seconds behind.
        case new(Int64)
    }

    /// Takes over the time of a service that has refused a request, if it was signed with a time that is off.
    func correct(to service: UTCTime, signedAt: UTCTime) -> Correction {
        if abs(service.seconds - signedAt.seconds) < Self.smallestError { return .none }
        let machine = self.machineTime.seconds
        return self.state.withLock { state in
            let offset = service.seconds - machine
            if abs(offset - state.offset) < Self.precision { return .made }
            if let correctedAt = state.correctedAt, abs(machine - correctedAt) < Self.pause { return .none }
            state.offset = offset
            state.correctedAt = machine
            return .new(offset)
        }
    }
}

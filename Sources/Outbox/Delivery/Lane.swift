import Synchronization

/// One lane's call of the handler, while it lasts.
///
/// Whoever calls the handler begins a call here and ends it afterwards. If it takes long, somebody else ends it meanwhile, takes
/// the run and has the lane go on with it: the message is *parked*, and the caller finds that the call has ended.
final class Lane: Sendable {
    /// What is done here. Odd during a call, whose number it is; whoever makes it even has ended the call.
    private let mark = Atomic<UInt64>(0)
    /// The run that is being delivered.
    private let run = Mutex<LaneRun?>(nil)

    /// The number of the call under way; nil: there is none.
    var call: UInt64? {
        let mark = self.mark.load(ordering: .relaxed)
        return mark.isMultiple(of: 2) ? nil : mark
    }

    /// A worker has taken the lane.
    func enter(_ run: LaneRun) {
        self.run.withLock { $0 = run }
    }

    /// A worker is done with the run that it has; not called by one whose call somebody else has ended.
    func leave() {
        self.run.withLock { $0 = nil }
    }

    /// The handler is going to be called.
    ///
    /// - Returns: The call's number.
    func begin() -> UInt64 {
        // Nobody else changes it while it is even. What the run says is for who ends the call.
        self.mark.add(1, ordering: .releasing).newValue
    }

    /// The call has ended.
    ///
    /// - Returns: Whether the run is still the caller's.
    func end(_ call: UInt64) -> Bool {
        self.mark.compareExchange(expected: call, desired: call + 1, ordering: .acquiringAndReleasing).exchanged
    }

    /// Takes the run of a call, to park its messages.
    ///
    /// - Returns: nil: the call has ended.
    func take(_ call: UInt64) -> LaneRun? {
        guard self.end(call) else { return nil }
        return self.run.withLock { $0.take() }
    }
}

import Synchronization

/// One lane's call of the handler, while it lasts.
///
/// A worker begins a call here before it calls the handler, and ends the call afterwards. If the handler takes long, the relay loop ends
/// the call first, takes the run, and lets another worker go on with the lane: the message is *parked*. The first worker then finds
/// that its call has ended.
final class Lane: Sendable {
    /// Odd during a call, as the number of that call. The task that makes it even has ended the call.
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

    /// A worker is done with its run. A worker whose call was ended by the relay loop does not call this.
    func leave() {
        self.run.withLock { $0 = nil }
    }

    /// The handler is going to be called.
    ///
    /// - Returns: The call's number.
    func begin() -> UInt64 {
        // Only this worker changes it while it is even. What the run says is read by the task that ends the call.
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

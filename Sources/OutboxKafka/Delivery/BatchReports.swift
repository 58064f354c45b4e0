import CRdKafka
import Outbox
import OutboxRuntime
import Synchronization

/// What is known of a batch's records: written by the transport's thread as delivery reports arrive, read by the one
/// task that delivers the batch.
///
/// Each record has a slot, whose address is the record's opaque in librdkafka. Neither a report nor its record costs an
/// allocation, and the task is resumed once for many reports.
///
/// **Lifetime.** librdkafka keeps the addresses of slots, and of payloads that it was lent, until it has reported a record.
/// So the first record sent takes a reference to this object, and with it to the messages, and the last report gives it
/// back, even if the task is long gone.
//
// Sendable because `state` is synchronised; `consumed` and `known` are the task's, `written` is the thread's; a slot is the
// task's until its record is sent, then the thread's until it is published, which is under the lock of `state`, then the
// task's again.
@safe final class BatchReports: MailboxJob, @unchecked Sendable {
    @safe struct Slot {
        fileprivate let owner: Unmanaged<BatchReports>
        fileprivate let index: Int32
        fileprivate(set) var code: rd_kafka_resp_err_t
        /// The partition that was chosen for it, if one was.
        fileprivate(set) var partition: Int32 = -1
        /// Whether it is sent by a producer that has one record in a request.
        var isAlone: Bool
    }

    /// Partitions that had no leader when a batch was given up: what goes there is no message's fault, and others pass.
    struct Leaderless {
        /// By topic.
        let partitions: [String: Set<Int32>]
        /// When their records are tried again.
        let pause: Duration
    }

    /// What a task waits for.
    enum Wait {
        /// A report, or to be called.
        case anything
        /// The reports of all that was sent, or to be called.
        case everything
    }

    private struct State {
        /// How many records were handed to librdkafka, as far as the task has said.
        var sent = 0
        var reported = 0
        var isRetained = false
        var isClosed = false
        var isCancelled = false
        var isCalled = false
        /// Whether one of its records was delivered.
        var hasDelivered = false
        /// What becomes of records whose producer ended; nil: they are sent again.
        var ending: Outcome?
        /// What of its topics had no leader then.
        var leaderless: Leaderless?
        var lastProgress = ContinuousClock.now
        var waiting: (wait: Wait, continuation: CheckedContinuation<Void, Never>)?
    }

    private let batch: MessageBatch
    /// The topic of all records, where every message of the destination goes there; nil: there is no such topic.
    let fixedTopic: String?
    private let slots: UnsafeMutableBufferPointer<Slot>
    /// The numbers of reported slots, in the order of their reports, around and around: a slot is reported only once before the
    /// task sends it again.
    private let ring: UnsafeMutableBufferPointer<Int32>
    private var consumed = 0
    /// How many reports there were when the task looked.
    private var known = 0
    private var written = 0
    private let state = Mutex(State())

    init(_ batch: MessageBatch, fixedTopic: String? = nil) {
        self.batch = batch
        self.fixedTopic = fixedTopic
        unsafe self.slots = .allocate(capacity: batch.count)
        unsafe self.ring = .allocate(capacity: batch.count)
        unsafe self.ring.initialize(repeating: 0)
        let owner = unsafe Unmanaged.passUnretained(self)
        for index in batch.indices {
            let slot = unsafe Slot(
                owner: owner, index: Int32(index), code: RD_KAFKA_RESP_ERR_NO_ERROR, partition: -1, isAlone: false)
            unsafe self.slots.initializeElement(at: index, to: slot)
        }
    }

    deinit {
        unsafe self.slots.deallocate()
        unsafe self.ring.deallocate()
    }

    // MARK: The task that delivers

    /// Whether everything has to return.
    var isCancelled: Bool { self.state.withLock(\.isCancelled) }

    /// The opaque for a record that is about to be sent.
    func slot(_ index: Int, isAlone: Bool) -> UnsafeMutableRawPointer {
        let slot = unsafe self.slots.baseAddress! + index
        unsafe slot.pointee.isAlone = isAlone
        return UnsafeMutableRawPointer(slot)
    }

    /// Keeps this object until everything sent is reported. Before a record is sent.
    func retain() {
        let isFirst = self.state.withLock { state in
            if state.isRetained { return false }
            state.isRetained = true
            return true
        }
        if isFirst { _ = unsafe Unmanaged.passRetained(self) }
    }

    /// Notes that records were sent.
    func sent(_ count: Int) {
        self.state.withLock { state in
            state.sent += count
            state.lastProgress = .now
        }
    }

    /// How many records are without a report.
    var inFlight: Int { self.state.withLock { $0.sent - $0.reported } }

    /// Waits until there is something to do. Everything is a reason to look again: reports, being called, being cancelled.
    func wait(for wait: Wait) async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let isOver = self.state.withLock { state in
                if state.isCalled || state.isCancelled || self.isOver(wait, state) {
                    state.isCalled = false
                    return true
                }
                state.waiting = (wait, continuation)
                return false
            }
            if isOver { continuation.resume() }
        }
    }

    private func isOver(_ wait: Wait, _ state: State) -> Bool {
        switch wait {
        case .anything: state.reported > self.consumed
        case .everything: state.reported == state.sent && state.sent > 0
        }
    }

    /// The next report that has arrived and was not taken.
    func nextReport() -> (index: Int, slot: Slot)? {
        if self.consumed == self.known {
            self.known = self.state.withLock(\.reported)
            if self.consumed == self.known { return nil }
        }
        let index = unsafe Int(self.ring[self.consumed % self.ring.count])
        self.consumed += 1
        return unsafe (index, self.slots[index])
    }

    /// What becomes of records whose producer ended; nil: they are sent again.
    var ending: Outcome? { self.state.withLock(\.ending) }

    /// Which partitions had no leader when its producer ended.
    var leaderless: Leaderless? { self.state.withLock(\.leaderless) }

    /// The task is done with this object; reports may still come.
    func close() {
        let isOver = self.state.withLock { state in
            state.isClosed = true
            return Self.endsRetention(&state)
        }
        if isOver { unsafe Unmanaged.passUnretained(self).release() }
    }

    private static func endsRetention(_ state: inout State) -> Bool {
        guard state.isClosed, state.isRetained, state.reported == state.sent else { return false }
        state.isRetained = false
        return true
    }

    // MARK: Others

    /// Lets the task look again.
    func call() { self.wake { $0.isCalled = true } }

    /// Lets the task return at once.
    func cancel() { self.wake { $0.isCancelled = true } }

    func end(_ reason: MailboxEnd) {
        switch reason {
        case .cancelled: self.cancel()
        case .closed: self.end(with: .unavailable("the transport is closed"))
        }
    }

    /// Says what becomes of records whose producer ends.
    func end(with outcome: Outcome, leaderless: Leaderless? = nil) {
        self.wake { state in
            state.ending = outcome
            state.leaderless = leaderless
            state.isCalled = true
        }
    }

    private func wake(_ change: (inout State) -> Void) {
        let continuation = self.state.withLock { state in
            change(&state)
            defer { state.waiting = nil }
            if state.waiting != nil { state.isCalled = false }
            return state.waiting?.continuation
        }
        continuation?.resume()
    }

    /// Whether one of its records was delivered.
    var hasDelivered: Bool { self.state.withLock(\.hasDelivered) }

    /// Whether records are under way, and none was reported or sent since then.
    func isStalled(since instant: ContinuousClock.Instant) -> Bool {
        self.state.withLock { $0.sent > $0.reported && $0.lastProgress < instant && $0.ending == nil }
    }

    // MARK: The transport's thread

    /// Notes the reports of an event.
    static func note(_ messages: UnsafeMutableBufferPointer<UnsafePointer<rd_kafka_message_t>?>) {
        var last: Unmanaged<BatchReports>?
        var count = 0
        var isDelivery = false
        for position in messages.indices {
            guard let record = unsafe messages[position]?.pointee, let opaque = unsafe record._private else { continue }
            let slot = unsafe opaque.assumingMemoryBound(to: Slot.self)
            let owner = unsafe slot.pointee.owner
            if unsafe last?.toOpaque() != owner.toOpaque() {
                unsafe last?._withUnsafeGuaranteedRef { $0.publish(count, hasDelivered: isDelivery) }
                unsafe last = owner
                count = 0
                isDelivery = false
            }
            unsafe slot.pointee.code = record.err
            unsafe slot.pointee.partition = record.partition
            unsafe owner._withUnsafeGuaranteedRef { reports in
                unsafe reports.ring[reports.written % reports.ring.count] = slot.pointee.index
                reports.written += 1
            }
            count += 1
            if unsafe record.err == RD_KAFKA_RESP_ERR_NO_ERROR { isDelivery = true }
        }
        unsafe last?._withUnsafeGuaranteedRef { $0.publish(count, hasDelivered: isDelivery) }
    }

    /// Hands reports over to the task, or gives back the reference where there is none any more; nothing of this object may
    /// be used after that.
    private func publish(_ count: Int, hasDelivered: Bool) {
        let (continuation, isOver) = self.state.withLock { state in
            state.reported += count
            if hasDelivered { state.hasDelivered = true }
            state.lastProgress = .now
            var continuation: CheckedContinuation<Void, Never>?
            if let waiting = state.waiting, waiting.wait == .anything || state.reported == state.sent {
                continuation = waiting.continuation
                state.waiting = nil
            }
            return (continuation, Self.endsRetention(&state))
        }
        continuation?.resume()
        if isOver { unsafe Unmanaged.passUnretained(self).release() }
    }
}

import CRdKafka
import Outbox
import OutboxRuntime
import Synchronization

/// A producer as deliveries see it: until it is retired, records can be handed to it from any thread, without waiting.
//
// Sendable because librdkafka's functions that are called here are, and because the pointers are used between `enter` and
// `leave` only, for whose end `retire` waits before they are freed.
@safe final class Producer: @unchecked Sendable {
    /// What became of an attempt to hand over a record.
    enum Answer {
        /// It will be reported.
        case taken
        /// There is no room; nothing has been taken.
        case full
        /// It is not taken, for a reason of its own.
        case refused(rd_kafka_resp_err_t)
    }

    private struct State: ~Copyable {
        var isRetired = false
        var users = 0
        /// Signalled by the last user, when the thread waits for that.
        var lastUser: WakePipe?
        var topics: [String: KafkaTopic] = [:]
    }

    /// Whether it has one record in a request.
    let isSolitary: Bool
    private let client: OpaquePointer
    private let events: OpaquePointer
    private let state = Mutex(State())

    init(client: OpaquePointer, events: OpaquePointer, isSolitary: Bool) {
        unsafe self.client = client
        unsafe self.events = events
        self.isSolitary = isSolitary
    }

    /// Runs `body`, during which the producer is not retired.
    ///
    /// - Returns: Nil if it is retired already.
    func use<Result>(_ body: () -> Result) -> Result? {
        let isOpen = self.state.withLock { state in
            if state.isRetired { return false }
            state.users += 1
            return true
        }
        guard isOpen else { return nil }
        defer { self.leave() }
        return body()
    }

    /// The handle of a topic. Within ``use(_:)``, where it stays good.
    func topic(_ name: String) -> KafkaTopic? {
        self.state.withLock { state in
            if let topic = state.topics[name] { return topic }
            guard let pointer = unsafe rd_kafka_topic_new(self.client, name, nil) else { return nil }
            let topic = unsafe KafkaTopic(pointer: pointer)
            state.topics[name] = topic
            return topic
        }
    }

    /// Hands over a record. Within ``use(_:)``.
    ///
    /// - Parameters:
    ///   - value: Nil: a null.
    ///   - isLent: Whether the value lies where it is until the record is reported, and is not to be copied.
    ///   - opaque: Comes back with the report.
    func send(
        to topic: KafkaTopic, partition: Int32?, key: UnsafeRawBufferPointer?, value: UnsafeRawBufferPointer?,
        isLent: Bool, timestamp: Int64, headers: consuming RecordHeaders?, opaque: UnsafeMutableRawPointer
    ) -> Answer {
        // A pointer that is not null, for what is empty is no null.
        let valueStart = unsafe value.map { unsafe $0.baseAddress ?? UnsafeRawPointer(opaque) }
        let keyStart = unsafe key.map { unsafe $0.baseAddress ?? UnsafeRawPointer(opaque) }
        let code = unsafe outbox_kafka_produce(
            self.client, topic.pointer, partition ?? RD_KAFKA_PARTITION_UA, isLent ? 0 : RD_KAFKA_MSG_F_COPY,
            valueStart, value?.count ?? 0, keyStart, key?.count ?? 0, timestamp, headers?.pointer, opaque)
        switch code {
        case RD_KAFKA_RESP_ERR_NO_ERROR:
            headers?.passOn()
            return .taken
        case RD_KAFKA_RESP_ERR__QUEUE_FULL:
            return .full
        default:
            return .refused(code)
        }
    }

    /// Ends the wait of the transport's thread for events.
    func wakeThread() {
        _ = self.use { unsafe rd_kafka_queue_yield(self.events) }
    }

    private func leave() {
        self.state.withLock { state in
            state.users -= 1
            if state.users == 0 { state.lastUser?.signal() }
        }
    }

    /// Lets no user in any more, and returns when there is none. On the transport's thread.
    func retire() {
        self.waitForUsers()
        let topics = self.state.withLock { state in
            defer { state.topics = [:] }
            return state.topics.values
        }
        for topic in topics { unsafe rd_kafka_topic_destroy(topic.pointer) }
    }

    private func waitForUsers() {
        let (users, descriptor) = self.state.withLock { state -> (Int, CInt?) in
            state.isRetired = true
            if state.users > 0 { state.lastUser = WakePipe() }
            return (state.users, state.lastUser?.readDescriptor)
        }
        if users == 0 { return }
        if let descriptor {
            DedicatedThread.wait(forInput: descriptor)
        } else {
            // No descriptor is left. A batch is handed over without waiting for anything.
            while self.state.withLock({ $0.users > 0 }) { DedicatedThread.sleep(.milliseconds(1)) }
        }
    }
}

/// A topic of a producer, as long as that is in use.
@safe struct KafkaTopic {
    fileprivate let pointer: OpaquePointer
}

/// Owns an `rd_kafka_headers_t` until a record has it.
@safe struct RecordHeaders: ~Copyable {
    fileprivate let pointer: OpaquePointer

    init(capacity: Int) {
        unsafe self.pointer = unsafe rd_kafka_headers_new(capacity)
    }

    deinit { unsafe rd_kafka_headers_destroy(self.pointer) }

    func add(_ name: String, _ value: String) {
        var name = name
        var value = value
        name.withUTF8 { name in
            value.withUTF8 { value in
                // Copied by librdkafka.
                unsafe _ = name.withMemoryRebound(to: CChar.self) { name in
                    unsafe rd_kafka_header_add(
                        self.pointer, name.baseAddress, name.count, value.baseAddress, value.count)
                }
            }
        }
    }

    fileprivate consuming func passOn() { discard self }
}

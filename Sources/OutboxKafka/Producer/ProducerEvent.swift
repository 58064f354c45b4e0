import CRdKafka

/// Owns an `rd_kafka_event_t`.
@safe struct ProducerEvent: ~Copyable {
    /// What an event says, copied out of it.
    enum Content {
        /// Records were reported, and these have been noted.
        case reports
        case error(rd_kafka_resp_err_t, reason: String, isFatal: Bool)
        /// Statistics, in JSON.
        case statistics(String)
        /// A line of a log, its level that of syslog.
        case log(level: Int32, facility: String, text: String)
        case other
    }

    private let pointer: OpaquePointer

    init(_ pointer: OpaquePointer) {
        unsafe self.pointer = pointer
    }

    deinit { unsafe rd_kafka_event_destroy(self.pointer) }

    /// Notes delivery reports where they belong, and copies everything else. What the event had is given back to librdkafka: only
    /// from then on there is room for other records.
    ///
    /// - Parameter onDelivery: Called where reports of deliveries are among it, before one of them is handed over: who learns of a delivery
    ///   finds what follows from it.
    consuming func take(onDelivery: () -> Void) -> Content {
        switch unsafe rd_kafka_event_type(self.pointer) {
        case RD_KAFKA_EVENT_DR:
            self.noteReports(onDelivery: onDelivery)
            return .reports
        case RD_KAFKA_EVENT_ERROR:
            let isFatal = unsafe rd_kafka_event_error_is_fatal(self.pointer) != 0
            let text = unsafe rd_kafka_event_error_string(self.pointer).map { unsafe String(cString: $0) }
            return .error(unsafe rd_kafka_event_error(self.pointer), reason: text ?? "", isFatal: isFatal)
        case RD_KAFKA_EVENT_STATS:
            return unsafe rd_kafka_event_stats(self.pointer).map { .statistics(unsafe String(cString: $0)) } ?? .other
        case RD_KAFKA_EVENT_LOG:
            var facility: UnsafePointer<CChar>?
            var text: UnsafePointer<CChar>?
            var level: Int32 = 0
            guard unsafe rd_kafka_event_log(self.pointer, &facility, &text, &level) == 0 else { return .other }
            return .log(
                level: level, facility: unsafe facility.map { unsafe String(cString: $0) } ?? "",
                text: unsafe text.map { unsafe String(cString: $0) } ?? "")
        default:
            return .other
        }
    }

    private func noteReports(onDelivery: () -> Void) {
        let capacity = 256
        unsafe withUnsafeTemporaryAllocation(
            of: UnsafePointer<rd_kafka_message_t>?.self, capacity: capacity
        ) { messages in
            var hasDelivered = false
            while true {
                let count = unsafe rd_kafka_event_message_array(self.pointer, messages.baseAddress, capacity)
                if count == 0 { return }
                let taken = unsafe UnsafeMutableBufferPointer(rebasing: messages[..<Int(count)])
                if !hasDelivered, unsafe taken.contains(where: { unsafe $0?.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR })
                {
                    hasDelivered = true
                    onDelivery()
                }
                unsafe BatchReports.note(taken)
            }
        }
    }
}

import CRabbitMQ
import Dispatch
import Synchronization

/// A message as a consumer finds it at the broker.
package struct Mail: Sendable, Equatable {
    package var exchange = ""
    package var routingKey = ""
    package var payload: [UInt8] = []
    package var messageID: String?
    package var contentType: String?
    package var type: String?
    package var correlationID: String?
    package var replyTo: String?
    package var applicationID: String?
    package var expiration: String?
    package var priority: UInt8?
    package var timestamp: UInt64?
    package var deliveryMode: UInt8?
    package var headers: [String: String] = [:]

    /// The number that the payload begins with, up to a space.
    package var number: Int? { Int(String(decoding: self.payload.prefix { $0 != 0x20 }, as: UTF8.self)) }
}

/// The other side of a broker: declares, and takes messages from queues. It connects again when the connection is lost.
@safe package final class Mailbox: Sendable {
    struct Failure: Error, CustomStringConvertible {
        let what: String
        var description: String { "the mailbox: \(self.what) failed" }
    }

    private let port: Int
    private let queue = DispatchQueue(label: "outbox.test.mailbox")
    private let state = unsafe Mutex<OpaquePointer?>(nil)

    package init(port: Int) { self.port = port }

    deinit {
        unsafe self.state.withLock { state in
            if let state = unsafe state { unsafe amqp_destroy_connection(state) }
        }
    }

    private func perform<Result: Sendable>(
        _ what: String, _ body: @Sendable @escaping (OpaquePointer) throws -> Result
    ) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            self.queue.async {
                continuation.resume(
                    with: Swift.Result {
                        try unsafe self.state.withLock { state in
                            let connection = try unsafe state ?? self.connect()
                            unsafe state = connection
                            do {
                                return try unsafe body(connection)
                            } catch {
                                unsafe amqp_destroy_connection(connection)
                                unsafe state = nil
                                throw error
                            }
                        }
                    })
            }
        }
    }

    private func connect() throws -> OpaquePointer {
        guard let state = unsafe amqp_new_connection(), let socket = unsafe amqp_tcp_socket_new(state) else {
            throw Failure(what: "no memory")
        }
        var table = unsafe amqp_empty_table
        guard unsafe amqp_socket_open(socket, "127.0.0.1", CInt(self.port)) == 0,
            unsafe outbox_amqp_login_plain(state, "/", 131072, 0, &table, "guest", "guest").reply_type
                == AMQP_RESPONSE_NORMAL,
            unsafe amqp_channel_open(state, 1) != nil
        else {
            unsafe amqp_destroy_connection(state)
            throw Failure(what: "connect")
        }
        return unsafe state
    }

    // MARK: Topology

    package func declareQueue(
        _ name: String, arguments: [String: Int32] = [:], texts: [String: String] = [:]
    ) async throws {
        try unsafe await self.perform("declare \(name)") { state in
            var arena = Arena()
            defer { arena.free() }
            let table = unsafe arena.table(arguments, texts)
            guard unsafe amqp_queue_declare(state, 1, arena.bytes(name), 0, 1, 0, 0, table) != nil else {
                throw Failure(what: "declare \(name)")
            }
        }
    }

    package func declareExchange(_ name: String, type: String) async throws {
        try unsafe await self.perform("declare \(name)") { state in
            var arena = Arena()
            defer { arena.free() }
            let declared = unsafe amqp_exchange_declare(
                state, 1, arena.bytes(name), arena.bytes(type), 0, 1, 0, 0, amqp_empty_table)
            guard unsafe declared != nil else { throw Failure(what: "declare \(name)") }
        }
    }

    package func deleteExchange(_ name: String) async throws {
        try unsafe await self.perform("delete \(name)") { state in
            var arena = Arena()
            defer { arena.free() }
            guard unsafe amqp_exchange_delete(state, 1, arena.bytes(name), 0) != nil else {
                throw Failure(what: "delete \(name)")
            }
        }
    }

    package func bind(_ queue: String, to exchange: String, key: String) async throws {
        try unsafe await self.perform("bind \(queue)") { state in
            var arena = Arena()
            defer { arena.free() }
            let bound = unsafe amqp_queue_bind(
                state, 1, arena.bytes(queue), arena.bytes(exchange), arena.bytes(key), amqp_empty_table)
            guard unsafe bound != nil else { throw Failure(what: "bind \(queue)") }
        }
    }

    // MARK: Messages

    /// How many messages are in a queue.
    package func count(of queue: String) async throws -> Int {
        try unsafe await self.perform("count \(queue)") { state in
            var arena = Arena()
            defer { arena.free() }
            guard let reply = unsafe amqp_queue_declare(state, 1, arena.bytes(queue), 1, 1, 0, 0, amqp_empty_table)
            else {
                throw Failure(what: "count \(queue)")
            }
            return unsafe Int(reply.pointee.message_count)
        }
    }

    /// Takes all messages out of a queue. Where that fails in the middle, they stay there.
    package func takeAll(_ queue: String) async throws -> [Mail] {
        try unsafe await self.perform("take from \(queue)") { state in
            var arena = Arena()
            defer { arena.free() }
            let name = unsafe arena.bytes(queue)
            var mails: [Mail] = []
            var last: UInt64 = 0
            while true {
                let reply = unsafe amqp_basic_get(state, 1, name, 0)
                guard unsafe reply.reply_type == AMQP_RESPONSE_NORMAL else { throw Failure(what: "take from \(queue)") }
                guard unsafe reply.reply.id == AMQP_BASIC_GET_OK_METHOD, let decoded = unsafe reply.reply.decoded else {
                    break
                }
                let found = unsafe decoded.assumingMemoryBound(to: amqp_basic_get_ok_t.self).pointee
                unsafe last = found.delivery_tag
                var mail = unsafe Mail(exchange: text(found.exchange), routingKey: text(found.routing_key))
                var message = unsafe amqp_message_t()
                guard unsafe amqp_read_message(state, 1, &message, 0).reply_type == AMQP_RESPONSE_NORMAL else {
                    throw Failure(what: "read from \(queue)")
                }
                unsafe mail.read(message)
                unsafe amqp_destroy_message(&message)
                unsafe amqp_maybe_release_buffers(state)
                mails.append(mail)
            }
            if last > 0, unsafe amqp_basic_ack(state, 1, last, 1) != 0 { throw Failure(what: "confirm \(queue)") }
            return mails
        }
    }
}

private func text(_ bytes: amqp_bytes_t) -> String {
    unsafe String(decoding: UnsafeRawBufferPointer(start: bytes.bytes, count: bytes.len), as: UTF8.self)
}

extension Mail {
    fileprivate mutating func read(_ message: amqp_message_t) {
        self.payload = unsafe Array(UnsafeRawBufferPointer(start: message.body.bytes, count: message.body.len))
        let properties = unsafe message.properties
        func has(_ flag: CInt) -> Bool { unsafe properties._flags & UInt32(flag) != 0 }
        if has(AMQP_BASIC_MESSAGE_ID_FLAG) { self.messageID = unsafe text(properties.message_id) }
        if has(AMQP_BASIC_CONTENT_TYPE_FLAG) { self.contentType = unsafe text(properties.content_type) }
        if has(AMQP_BASIC_TYPE_FLAG) { self.type = unsafe text(properties.type) }
        if has(AMQP_BASIC_CORRELATION_ID_FLAG) { self.correlationID = unsafe text(properties.correlation_id) }
        if has(AMQP_BASIC_REPLY_TO_FLAG) { self.replyTo = unsafe text(properties.reply_to) }
        if has(AMQP_BASIC_APP_ID_FLAG) { self.applicationID = unsafe text(properties.app_id) }
        if has(AMQP_BASIC_EXPIRATION_FLAG) { self.expiration = unsafe text(properties.expiration) }
        if has(AMQP_BASIC_PRIORITY_FLAG) { self.priority = unsafe properties.priority }
        if has(AMQP_BASIC_TIMESTAMP_FLAG) { self.timestamp = unsafe properties.timestamp }
        if has(AMQP_BASIC_DELIVERY_MODE_FLAG) { self.deliveryMode = unsafe properties.delivery_mode }
        guard has(AMQP_BASIC_HEADERS_FLAG) else { return }
        for index in unsafe 0..<Int(properties.headers.num_entries) {
            let entry = unsafe properties.headers.entries[index]
            let isText = unsafe entry.value.kind == UInt8(AMQP_FIELD_KIND_UTF8.rawValue)
            unsafe self.headers[text(entry.key)] = unsafe isText ? text(entry.value.value.bytes) : "?"
        }
    }
}

/// Copies of texts for the time of a call.
@safe private struct Arena {
    private var blocks: [UnsafeMutableRawPointer] = unsafe []

    func free() { unsafe self.blocks.forEach { unsafe $0.deallocate() } }

    mutating func bytes(_ text: String) -> amqp_bytes_t {
        let bytes = Array(text.utf8)
        let copy = UnsafeMutableRawPointer.allocate(byteCount: max(1, bytes.count), alignment: 1)
        unsafe copy.copyMemory(from: bytes, byteCount: bytes.count)
        unsafe self.blocks.append(copy)
        return unsafe amqp_bytes_t(len: bytes.count, bytes: copy)
    }

    mutating func table(_ numbers: [String: Int32], _ texts: [String: String]) -> amqp_table_t {
        let count = numbers.count + texts.count
        if count == 0 { return unsafe amqp_empty_table }
        let entries = UnsafeMutablePointer<amqp_table_entry_t>.allocate(capacity: count)
        unsafe self.blocks.append(UnsafeMutableRawPointer(entries))
        var index = 0
        for (name, number) in numbers {
            var value = unsafe amqp_field_value_t()
            unsafe value.kind = UInt8(AMQP_FIELD_KIND_I32.rawValue)
            unsafe value.value.i32 = number
            unsafe entries[index] = unsafe amqp_table_entry_t(key: self.bytes(name), value: value)
            index += 1
        }
        for (name, text) in texts {
            var value = unsafe amqp_field_value_t()
            unsafe value.kind = UInt8(AMQP_FIELD_KIND_UTF8.rawValue)
            unsafe value.value.bytes = unsafe self.bytes(text)
            unsafe entries[index] = unsafe amqp_table_entry_t(key: self.bytes(name), value: value)
            index += 1
        }
        return unsafe amqp_table_t(num_entries: CInt(count), entries: entries)
    }
}

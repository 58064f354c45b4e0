import Outbox

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension StoreConformance {
    static let logChecks: [Check] = [
        Check("messages of a stream arrive in the order of their ids") { fixture in
            let ids = try await fixture.enqueue(.numbered(20)) + fixture.enqueue(.numbered(5))
            try require(zip(ids, ids.dropFirst()).allSatisfy(<), "ids do not ascend: \(ids)")
            try await CheckedSession.with(fixture) { session in
                try require(try await session.receive(25, messages: 7).ids, equals: ids, "the messages read")
            }
        },

        Check("a message arrives as it was enqueued") { fixture in
            let messages = [
                NewMessage(
                    to: .orders, route: "order.created", key: "kéy \"1\"", headers: ["a": "1", "ü\n": "\"\\"],
                    options: MessageOptions(maximumAttempts: 3, maximumDelay: .seconds(60)),
                    payload: Array(0...255)),
                NewMessage(to: .orders, payload: []),
            ]
            let before = Date()
            let ids = try await fixture.enqueue(messages)
            try await CheckedSession.with(fixture) { session in
                let pages = try await session.receive(2)
                let rows = pages.flatMap { page in (0..<page.count).map { (page, $0) } }
                for (index, (page, row)) in rows.enumerated() {
                    try Self.compare(page, row, with: messages[index], id: ids[index])
                    // The clocks of a store and of the check need not agree to the minute.
                    let age = page.createdAt(at: row).timeIntervalSince(before)
                    try require(abs(age) < 300, "createdAt is \(age) s from the time of enqueueing")
                }
            }
        },

        Check("streams are separate by destination") { fixture in
            let mixed: [NewMessage] = (0..<10).map { number in
                NewMessage(to: number.isMultiple(of: 2) ? .orders : .invoices, text: "\(number)")
            }
            let ids = try await fixture.enqueue(mixed)
            try await CheckedSession.with(fixture, [.orders, .invoices]) { session in
                for (destination, remainder) in [(Destination.orders, 0), (.invoices, 1)] {
                    let pages = try await session.receive(5, of: destination)
                    let expected = ids.enumerated().filter { $0.offset % 2 == remainder }.map(\.element)
                    try require(pages.ids, equals: expected, "the messages for \(destination)")
                    try require(
                        pages.allSatisfy { $0.destination == destination }, "a page has another destination")
                }
            }
        },

        Check("nothing is read twice in a session") { fixture in
            _ = try await fixture.enqueue(.numbered(20))
            try await CheckedSession.with(fixture) { session in
                let pages = try await session.receive(20, messages: 5)
                try await session.receiveNothing("all has been read and nothing is settled")
                try await session.settle(through: pages[0])
                try await session.receiveNothing("all has been read and a part is settled")
                try await session.settle(through: pages.last)
                try await session.receiveNothing("all has been read and settled")
            }
        },

        Check("messages become visible at the commit of their transaction") { fixture in
            let transaction = try await fixture.begin()
            let ids = try await transaction.enqueue(.numbered(3))
            try await CheckedSession.with(fixture) { session in
                try await session.receiveNothing("the transaction is open")
                try await transaction.commit()
                try require(try await session.receive(3).ids, equals: ids, "the messages of the transaction")
            }
        },

        Check("messages of a transaction that was rolled back are never read") { fixture in
            let transaction = try await fixture.begin()
            _ = try await transaction.enqueue(.numbered(3))
            let ids = try await fixture.enqueue(.numbered(1))
            try await transaction.rollback()
            try await CheckedSession.with(fixture) { session in
                try require(try await session.receive(1).ids, equals: ids, "the messages read")
                try await session.receiveNothing("the transaction was rolled back")
            }
        },

        Check("a message that is scheduled is marked until its time has come") { fixture in
            let ids = try await fixture.enqueue([
                NewMessage(to: .orders, deliverAt: Date() + 3600, text: "later"),
                NewMessage(to: .orders, deliverAt: Date() - 3600, text: "now"),
                NewMessage(to: .orders, text: "unscheduled"),
            ])
            try await CheckedSession.with(fixture) { session in
                let pages = try await session.receive(3)
                let marked = pages.flatMap { page in (0..<page.count).map { page.isScheduled(at: $0) } }
                try require(marked, equals: [true, false, false], "isScheduled of \(ids)")
            }
        },
    ]

    static let pagingChecks: [Check] = [
        Check("a page has at most the messages that were asked for") { fixture in
            _ = try await fixture.enqueue(.numbered(25))
            try await CheckedSession.with(fixture) { session in
                let stream = try session.stream(.orders)
                let none = ReadRequest(stream: stream, messages: 0, bytes: 1 << 20, deferred: false)
                let nothing = try await session.read([none], until: .now).pages
                try require(nothing.isEmpty, "0 messages were asked for, but \(nothing.ids) were read")
                for page in try await session.receive(25, messages: 10) {
                    try require(page.count <= 10, "10 messages were asked for, but a page has \(page.count)")
                }
            }
        },

        Check("a page ends with the message that reaches the bytes that were asked for") { fixture in
            let lengths = [100, 100, 100, 100, 1000, 1000, 100, 100, 0, 100, 100, 350, 100]
            let ids = try await fixture.enqueue(
                lengths.map { NewMessage(to: .orders, payload: [UInt8](repeating: 7, count: $0)) })
            try await CheckedSession.with(fixture) { session in
                let pages = try await session.receive(ids.count, bytes: 350)
                try require(pages.ids, equals: ids, "the messages read")
                for page in pages {
                    let last = page.payload(at: page.count - 1).count
                    try require(
                        page.byteCount - last < 350,
                        "350 bytes were asked for, but a page has \(page.byteCount - last) before its last message")
                }
            }
        },

        Check("headers count as bytes of a page") { fixture in
            // The first are as long as they look, the others what a database compresses.
            let random = (0..<300).map { _ in String(UnicodeScalar(UInt8.random(in: 97...122))) }.joined()
            let messages =
                [random, random, random, random]
                + (0..<8).map { _ in String(repeating: "x", count: 60_000) }
            let ids = try await fixture.enqueue(
                messages.map { NewMessage(to: .orders, headers: ["h": $0], payload: []) })
            try await CheckedSession.with(fixture) { session in
                let pages = try await session.receive(ids.count, bytes: 500)
                try require(pages.ids, equals: ids, "the messages read")
                for page in pages {
                    try require(
                        page.count <= 2, "500 bytes were asked for, but a page has \(page.count) messages with headers")
                }
            }
        },

        Check("a page of deferred messages ends with the messages and bytes that were asked for") { fixture in
            try await CheckedSession.with(fixture) { session in
                let messages = (0..<6).map { _ in NewMessage(to: .orders, payload: [UInt8](repeating: 7, count: 100)) }
                var missing = Set(
                    try await session.enqueueDeferred(fixture, messages) { _, id in
                        Deferral(id: id, attempts: 1, due: .after(.zero), ordered: false, error: nil)
                    })
                let stream = try session.stream(.orders)
                let requests = [
                    ReadRequest(stream: stream, messages: 2, bytes: 1 << 20, deferred: true),
                    ReadRequest(stream: stream, messages: 0, bytes: 250, deferred: true),
                    ReadRequest(stream: stream, messages: 0, bytes: 1, deferred: true),
                ]
                for (request, expected) in zip(requests, [2, 3, 1]) {
                    let pages = try await session.read([request], until: session.limit).pages
                    try require(pages.ids.count, equals: expected, "messages in a page for \(request)")
                    missing.subtract(pages.ids)
                    try await session.settle { $0.deferredDelivered = pages.ids }
                }
                try require(missing.count, equals: 0, "deferred messages that were not read")
            }
        },
    ]

    /// Compares a row with what was enqueued.
    static func compare(_ page: any MessagePage, _ row: Int, with message: NewMessage, id: Int64) throws {
        try require(page.id(at: row), equals: id, "id")
        try require(page.destination, equals: message.destination, "destination")
        try require(page.text(.route, at: row), equals: message.route, "route")
        try require(page.text(.key, at: row), equals: message.key, "key")
        try require(page.keyHash(at: row) == nil, equals: message.key == nil, "whether there is no hash of a key")
        try require(page.payload(at: row), equals: message.payload, "payload")
        let lent = LentBatch(MessageBatch([Message(page: page, row: row)]))
        let parts = unsafe lent.withMessages { messages in
            unsafe (Array(messages[0].payload), messages[0].key.map { unsafe Array($0) }, messages[0])
        }
        try require(parts.0, equals: message.payload, "lent payload")
        try require(parts.1, equals: message.key.map { Array($0.utf8) }, "lent key")
        try require(parts.2.id, equals: id, "lent id")
        try require(parts.2.createdAt, equals: page.createdAt(at: row), "lent time")
        try require(parts.2.hasRoute, equals: message.route != nil, "whether there is a lent route")
        try require(parts.2.hasHeaders, equals: page.text(.headers, at: row) != nil, "whether there are lent headers")
        try require((0..<1024).contains(page.slot(at: row)), "slot is \(page.slot(at: row))")
        let headers = try page.text(.headers, at: row).map { json in
            try JSONDecoder().decode([String: String].self, from: Data(json.utf8))
        }
        try require(headers ?? [:], equals: message.headers, "headers")
        let options = try page.text(.options, at: row).map { json in
            do throws(MessageDefect) {
                return try MessageOptions(json: json)
            } catch {
                throw ConformanceFailure("\(error)")
            }
        }
        try require(options ?? MessageOptions(), equals: message.options, "options")
    }
}

extension [NewMessage] {
    static func numbered(_ count: Int, to destination: Destination = .orders, key: String? = nil) -> [NewMessage] {
        NewMessage.numbered(count, to: destination, key: key)
    }
}

import Foundation
import Outbox
import Testing

@testable import OutboxPostgres

/// The ways in which an application enqueues with this library.
@Suite(.timeLimit(.minutes(10))) struct EnqueueTests {
    enum Way: CaseIterable {
        case one, many, copy, copyAsynchronously

        func enqueue(
            _ messages: [NewMessage], _ outbox: PostgresOutbox, in transaction: borrowing LibPQTransaction
        ) async throws {
            switch self {
            case .one: for message in messages { try await outbox.enqueue(message, in: transaction) }
            case .many: try await outbox.enqueue(messages, in: transaction)
            case .copy: #expect(try await outbox.copy(messages, in: transaction) == messages.count)
            case .copyAsynchronously:
                let stream = AsyncStream { continuation in
                    for message in messages { continuation.yield(message) }
                    continuation.finish()
                }
                #expect(try await outbox.copy(stream, in: transaction) == messages.count)
            }
        }
    }

    private static let everything: [NewMessage] = [
        NewMessage(to: "plain", payload: []),
        NewMessage(
            to: "all", route: "order.created", key: "ключ",
            headers: ["a\"b\\c": "\u{1}\n\u{1F}\u{7F}é\u{1F4E6}\u{2028}", "": ""],
            deliverAt: Date(timeIntervalSince1970: 1_800_000_000.123456),
            options: MessageOptions(maximumAttempts: 3, maximumDelay: .milliseconds(1500)),
            payload: [0, 1, 255, 10, 92]),
        NewMessage(to: "some", key: "k", payload: [7]),
        NewMessage(to: "far", deliverAt: .distantFuture, payload: [0]),
        NewMessage(to: "past", deliverAt: .distantPast, payload: Array(repeating: 9, count: 200_000)),
    ]

    @Test(arguments: Way.allCases)
    func everyFieldComesThrough(way: Way) async throws {
        try await withTestOutbox { test in
            let outbox = PostgresOutbox(schema: test.schema)
            try await test.connection.withTransaction { transaction in
                try await way.enqueue(Self.everything, outbox, in: transaction)
            }
            let stored = try await test.messages()
            #expect(stored.map(\.id) == [1, 2, 3, 4, 5])
            for (stored, message) in zip(stored, Self.everything) {
                #expect(stored.destination == message.destination.name)
                #expect(stored.route == message.route)
                #expect(stored.key == message.key)
                #expect(stored.payload == message.payload)
                #expect(stored.deliverAt == message.deliverAt)
                let headers = try stored.headers.map { json in
                    try JSONDecoder().decode([String: String].self, from: Data(json.utf8))
                }
                #expect(headers == (message.headers.isEmpty ? nil : message.headers))
                #expect(try stored.options.map { try MessageOptions(json: $0) } ?? MessageOptions() == message.options)
            }
        }
    }

    @Test func idsComeInTheOrderOfTheMessages() async throws {
        try await withTestOutbox { test in
            let outbox = PostgresOutbox(schema: test.schema)
            let messages = (0..<5000).map { number in
                NewMessage(to: "there", key: "\(number % 7)", text: "\(number)")
            }
            let ids = try await test.connection.withTransaction { transaction in
                try await outbox.enqueue(messages, in: transaction)
            }
            #expect(ids == Array(1...5000))
            let stored = try await test.messages()
            #expect(stored.map { String(decoding: $0.payload, as: UTF8.self) } == (0..<5000).map { "\($0)" })
            let none = try await test.connection.withTransaction { try await outbox.enqueue([], in: $0) }
            #expect(none.isEmpty)
            #expect(try await test.connection.query(outbox.statement(for: [])).rowCount == 0)
        }
    }

    @Test(arguments: Way.allCases)
    func whatIsRolledBackNeverWas(way: Way) async throws {
        try await withTestOutbox { test in
            let outbox = PostgresOutbox(schema: test.schema)
            await #expect(throws: CancellationError.self) {
                try await test.connection.withTransaction { transaction in
                    try await way.enqueue(Self.everything, outbox, in: transaction)
                    throw CancellationError()
                }
            }
            let stored = try await test.messages()
            #expect(stored.isEmpty)
        }
    }

    @Test(arguments: Way.allCases)
    func aRefusedMessageLeavesTheTransactionUsable(way: Way) async throws {
        try await withTestOutbox { test in
            let outbox = PostgresOutbox(schema: test.schema, maximumPayload: 1000)
            try await test.connection.withTransaction { transaction in
                try await outbox.enqueue(NewMessage(to: "before", text: ""), in: transaction)
                for (field, message) in Self.refused {
                    let error = await #expect(throws: InvalidMessage.self) {
                        try await way.enqueue(
                            (way == .one ? [] : [NewMessage(to: "beside", text: "")]) + [message], outbox,
                            in: transaction)
                    }
                    #expect(error?.field == field)
                    #expect(error.map { !"\($0)".contains("secret") } == true)
                }
                try await outbox.enqueue(NewMessage(to: "after", text: ""), in: transaction)
            }
            #expect(try await test.messages().map(\.destination) == ["before", "after"])
        }
    }

    private static let refused: [(String, NewMessage)] = [
        ("destination", NewMessage(to: "", text: "secret")),
        ("destination", NewMessage(to: Destination(String(repeating: "é", count: 128)), text: "secret")),
        ("route", NewMessage(to: "there", route: "secret\0", text: "")),
        ("key", NewMessage(to: "there", key: "secret\0", text: "")),
        ("key", NewMessage(to: "there", key: String(repeating: "secret", count: 200), text: "")),
        ("headers", NewMessage(to: "there", headers: ["a": "secret\0"], text: "")),
        ("headers", NewMessage(to: "there", headers: ["secret\0": ""], text: "")),
        ("deliverAt", NewMessage(to: "there", deliverAt: Date(timeIntervalSince1970: .nan), text: "")),
        ("deliverAt", NewMessage(to: "there", deliverAt: Date(timeIntervalSince1970: 1e13), text: "")),
        ("deliverAt", NewMessage(to: "there", deliverAt: Date(timeIntervalSince1970: -1e12), text: "")),
        ("options.maximumAttempts", NewMessage(to: "there", options: MessageOptions(maximumAttempts: 0), text: "")),
        ("payload", NewMessage(to: "there", payload: Array(repeating: 0, count: 1001))),
    ]

    @Test func theLongestThatIsAllowedIsTaken() async throws {
        try await withTestOutbox { test in
            let outbox = PostgresOutbox(schema: test.schema)
            let message = NewMessage(
                to: Destination(String(repeating: "d", count: 255)), route: String(repeating: "r", count: 1024),
                key: String(repeating: "k", count: 1024), payload: Array(repeating: 1, count: 16 << 20))
            for way in Way.allCases {
                try await test.connection.withTransaction { transaction in
                    try await way.enqueue([message], outbox, in: transaction)
                }
            }
            let sizes = try await test.value(
                "SELECT array_agg(octet_length(payload)) FROM \(test.name).message", as: [Int32].self)
            #expect(sizes == Array(repeating: 16 << 20, count: Way.allCases.count))
        }
    }

    @Test func moreThanAStatementHoldsIsSentInSeveral() async throws {
        try await withTestOutbox { test in
            let outbox = PostgresOutbox(schema: test.schema)
            let messages = (0..<11).map { _ in NewMessage(to: "there", payload: Array(repeating: 1, count: 10 << 20)) }
            let ids = try await test.connection.withTransaction { try await outbox.enqueue(messages, in: $0) }
            #expect(ids == Array(1...11))
        }
    }

    @Test(arguments: Way.allCases)
    func saysThatThereIsNoOutbox(way: Way) async throws {
        try await withTestOutbox(migrated: false) { test in
            let outbox = PostgresOutbox(schema: test.schema)
            let error = await #expect(throws: OutboxError.self) {
                try await test.connection.withTransaction { transaction in
                    try await way.enqueue([NewMessage(to: "there", text: "")], outbox, in: transaction)
                }
            }
            #expect(error?.code == .schemaMissing)
            try await test.connection.execute(script: "SELECT 1")
        }
    }

    @Test func twoOutboxesOnOneConnection() async throws {
        try await withTestOutbox(prefix: "one") { one in
            try await withTestOutbox(prefix: "two") { two in
                try await one.connection.withTransaction { transaction in
                    for schema in [one.schema, two.schema] {
                        let outbox = PostgresOutbox(schema: schema)
                        let id = try await outbox.enqueue(NewMessage(to: "there", text: ""), in: transaction)
                        let ids = try await outbox.enqueue([NewMessage(to: "there", text: "")], in: transaction)
                        #expect(id == 1 && ids == [2])
                    }
                }
                #expect(try await two.messages().count == 2)
            }
        }
    }

    @Test func concurrentProducersGetNumbersOfTheirOwn() async throws {
        try await withTestOutbox { test in
            let outbox = PostgresOutbox(schema: test.schema)
            let ids = try await withThrowingTaskGroup(of: [Int64].self) { group in
                for producer in 0..<8 {
                    group.addTask {
                        let connection = try await test.connect()
                        var ids: [Int64] = []
                        for _ in 0..<20 {
                            ids += try await connection.withTransaction { transaction in
                                try await outbox.enqueue(
                                    Array(repeating: NewMessage(to: "there", text: "\(producer)"), count: 10),
                                    in: transaction)
                            }
                        }
                        await connection.close()
                        #expect(ids == ids.sorted())
                        return ids
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(Set(ids).count == 1600)
            #expect(try await test.messages().map(\.id) == ids.sorted())
        }
    }
}

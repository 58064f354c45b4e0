import Logging
import Outbox
import OutboxRuntime
import OutboxTesting
import OutboxWebhook
import Synchronization
import TestSupport
import Testing

/// A relay that delivers to receivers which fail in every way: nothing is lost, and keys keep their order.
@Suite(.timeLimit(.minutes(10))) struct ChaosTests {
    /// What goes wrong with a receiver.
    enum Fault: String, CaseIterable {
        case killed, flapping, slow, throttled, failing, cut, halfAnswers
    }

    /// Misbehaves with some of the requests, at random.
    private final class Moods: Sendable {
        private let fault: Fault
        private let state = Atomic<UInt64>(7)

        init(_ fault: Fault) { self.fault = fault }

        func answer(_ request: HTTPServer.Request) -> HTTPServer.Answer {
            // A multiplicative hash of a count: as good as random, and the same in every run.
            let number = self.state.wrappingAdd(1, ordering: .relaxed).newValue
            let dice = Int((number &* 0x9E37_79B9_7F4A_7C15) >> 40) % 100
            switch self.fault {
            // Each is a pause of half a second or more.
            case .throttled where number % 400 == 7: return .status(429, headers: ["Retry-After: 0"])
            case .throttled where number % 400 == 207:
                return .status(
                    429, headers: ["Date: Sun, 06 Nov 1994 08:49:37 GMT", "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT"])
            case .failing where dice < 20: return .status([500, 502, 503, 504, 408, 425, 401, 404, 307][dice % 9])
            case .halfAnswers where dice < 5: return .bytes("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
            case .halfAnswers where dice < 10: return .bytes("HTTP/1.", reset: dice % 2 == 0)
            default: return .accepted
            }
        }
    }

    private final class Settled: Sendable {
        let count = Atomic<Int>(0)
    }

    private static func settings() -> DeliverySettings {
        DeliverySettings(
            retry: .exponential(maximumAttempts: 1000, initialDelay: .milliseconds(1), maximumDelay: .milliseconds(5)),
            breaker: .opening(initialDelay: .milliseconds(1), maximumDelay: .milliseconds(5)), maximumCount: 100)
    }

    /// Delivers all of an outbox, and calls a closure when so many are delivered.
    private static func deliver(
        _ outbox: InMemoryOutbox, count: Int, to transport: WebhookTransport, rounds: Int,
        _ disturb: @escaping @Sendable (Int) async throws -> Void
    ) async throws {
        var logger = Logger(label: "outbox.test")
        logger.logLevel = .critical
        let relay = Relay(
            store: outbox, routes: ["hooks": .transport(transport, settings: Self.settings())], logger: logger)
        let events = relay.events(bufferingNewest: 1_000_000)
        let settled = Settled()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await relay.run() }
            group.addTask {
                for await event in events {
                    switch event {
                    case .delivered, .deadLettered: settled.count.add(1, ordering: .relaxed)
                    default: continue
                    }
                    if settled.count.load(ordering: .relaxed) == count { break }
                }
                relay.stop()
            }
            group.addTask {
                for round in 0..<rounds {
                    let target = count * round / (rounds + 2)
                    try await eventually("\(target) are delivered") { settled.count.load(ordering: .relaxed) >= target }
                    try await disturb(round)
                }
            }
            try await group.waitForAll()
        }
    }

    private static func number(_ request: HTTPServer.Request) -> Int? {
        Int(request.text.dropFirst("{\"number\":".count).dropLast())
    }

    /// Everything has arrived, each key in its order.
    private static func check(_ requests: [HTTPServer.Request], numbers: Set<Int>, repetitions: Int) {
        let arrived = requests.compactMap(Self.number)
        let missing = numbers.subtracting(arrived)
        #expect(missing.isEmpty, "\(missing.count) are lost, such as \(missing.min() ?? -1)")
        #expect(arrived.count - numbers.count <= repetitions, "\(arrived.count - numbers.count) came again")
        var last: [Int: Int] = [:]
        var seen: Set<Int> = []
        for number in arrived where seen.insert(number).inserted {
            if let before = last[number % 23] { #expect(before < number, "\(number) after \(before)") }
            last[number % 23] = number
        }
        let ids = Dictionary(grouping: requests) { Self.number($0) }.mapValues { Set($0.map(\.id)) }
        #expect(ids.values.allSatisfy { $0.count == 1 }, "what comes again has the same id")
    }

    @Test(arguments: Fault.allCases) func nothingIsLostAndKeysKeepTheirOrder(_ fault: Fault) async throws {
        let moods = Moods(fault)
        let gate = Latch()
        let isSlow = Atomic(false)
        let receiver = try HTTPServer { request in
            if fault == .slow, isSlow.load(ordering: .relaxed) { return .held(gate) }
            return moods.answer(request)
        }
        let outbox = InMemoryOutbox()
        let count = 3000
        for number in 0..<count { try outbox.enqueue(.numbered(number, key: "k\(number % 23)")) }
        let transport = try TransportUnderTest.make(receiver.url) { configuration in
            configuration.limits.timeout = .milliseconds(fault == .slow ? 200 : 15_000)
        }
        try await Self.deliver(outbox, count: count, to: transport, rounds: 12) { round in
            switch fault {
            case .killed:
                receiver.stop()
                try await eventually("the relay knows it") { !transport.health.isUp }
                try receiver.start()
            case .flapping:
                for _ in 0..<5 {
                    receiver.stop()
                    try receiver.start()
                }
            case .cut: receiver.cut()
            case .slow:
                isSlow.store(round % 2 == 0, ordering: .relaxed)
                if round % 2 == 0 {
                    try await eventually("the relay knows it") { !transport.health.isUp }
                    isSlow.store(false, ordering: .relaxed)
                }
            default: break
            }
        }
        gate.open()
        #expect(outbox.deadLetters().isEmpty)
        Self.check(receiver.accepted, numbers: Set(0..<count), repetitions: 12 * 5 * 100)
    }

    /// Three receivers of one destination. One is dead until the others have everything.
    @Test func oneDeadHostOfThreeDelaysNoOther() async throws {
        let first = try HTTPServer()
        let second = try HTTPServer(number: 2, port: first.port)
        let dead = try HTTPServer(number: 3, port: first.port)
        dead.stop()
        let outbox = InMemoryOutbox()
        let count = 3000
        for number in 0..<count {
            try outbox.enqueue(
                .numbered(number, key: "k\(number % 23)", headers: ["host": "127.0.0.\(1 + number % 23 % 3)"]))
        }
        let transport = try TransportUnderTest.make("http://{header.host}:\(first.port)/x") { configuration in
            configuration.hosts = ["*"]
            configuration.outage.initialPause = .milliseconds(5)
            configuration.outage.maximumPause = .milliseconds(50)
        }
        let others = (0..<count).filter { $0 % 23 % 3 != 2 }
        try await Self.deliver(outbox, count: count, to: transport, rounds: 1) { _ in
            try await eventually("the others have everything") {
                first.accepted.count + second.accepted.count >= others.count
            }
            #expect(dead.requests.isEmpty)
            try dead.start()
        }
        #expect(outbox.deadLetters().isEmpty)
        Self.check(first.accepted + second.accepted, numbers: Set(others), repetitions: 0)
        Self.check(dead.accepted, numbers: Set(0..<count).subtracting(others), repetitions: 0)
    }
}

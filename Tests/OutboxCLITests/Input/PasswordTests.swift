import ArgumentParser
import Outbox
import OutboxPostgres
import OutboxRuntime
import TestSupport
import Testing

@testable import OutboxCLI

/// However an address is mistyped, what is said about it has no password in it.
@Suite(.timeLimit(.minutes(5))) struct PasswordTests {
    /// No letters that a name of a parameter has next to each other, and none that an address divides its parts by.
    private static let secret = "zQ7xWj9kVq"

    private static let addresses = [
        "amqp://me:\(secret)@mq/shop?exchange=orders&routing_key={route}",
        "amqps://me:\(secret)@mq-1,mq-2:5671?queue=orders&verify_peer=false&window=10",
        "kafka://me:\(secret)@k-1:9092,k-2?topic=events&linger.ms=5",
        "kafkas://k-1?topic=e-{route}&sasl.username=me&sasl.password=\(secret)&compression.type=lz4",
        "kafkas://k-1/events?linger.ms=5&ssl.key.password=\(secret)&key={key}",
        "sqs://me:\(secret)@orders.fifo?region=eu-central-1&headers=folded",
        "sqs://orders?region=eu-central-1&endpoint=http://me:\(secret)@localhost:4566&encoding=base64",
        "kinesis://clicks?region=eu-central-1&proxy=http://me:\(secret)@proxy:3128&content=envelope",
        "pubsub://shop/orders?proxy=http://me:\(secret)@proxy:3128&id_attribute=goo&ordering_key={key}&token=exchanged",
        "https://me:\(secret)@hooks.example:8443/x/{route}?y=1&outbox.method=put&outbox.events=binary",
        "https://hooks.example/x?token=\(secret)&outbox.timeout=5s&outbox.allow=10.0.0.0/8",
        "http://{header.h}/x?outbox.hosts=*.example&outbox.token=\(secret)&outbox.rate=5",
        "https://hooks.example?outbox.header.X-Key=\(secret)&outbox.id=a-{id}&outbox.secret=whsec_\(secret)",
        "postgresql://me:\(secret)@db:5432/shop?sslmode=require",
        "postgres://db/shop?user=me&password=\(secret)&sslmode=require",
        "host=db password=\(secret) user=me sslmode=require",
        "dbname=shop sslpassword='\(secret)' host=db",
        // As they are mistyped by hand.
        "amqp//me:\(secret)@mq", "amqp:/me:\(secret)@mq", "amqp:me:\(secret)@mq", "amqp://me:1/\(secret)@mq",
        "amqp://me:a?\(secret)@mq?exchange=orders", "amqp://me:a#\(secret)@mq", "amqp://me:a b\(secret)@mq",
        "kafka://me:a&\(secret)@mq?topic=a", "postgres//me:\(secret)@db/shop?sslmode=require",
        "postgres:/me:\(secret)@db/shop", "host=db password \(secret)", "http://me:\(secret)@mq",
    ]

    /// The text with a few characters left out, doubled, swapped with the next one, or another one put in; never within the password.
    private static func mistyped(_ text: String, using random: inout Lottery) -> String {
        var characters = Array(text)
        for _ in 0..<Int.random(in: 0...2, using: &random) {
            let index = Int.random(in: 0..<characters.count - 1, using: &random)
            let before = characters
            switch Int.random(in: 0..<4, using: &random) {
            case 0: characters.remove(at: index)
            case 1: characters.insert(characters[index], at: index)
            case 2: characters.swapAt(index, index + 1)
            default: characters.insert("@:/?#&=%{} '\"".randomElement(using: &random)!, at: index)
            }
            if !String(characters).contains(self.secret) { characters = before }
        }
        return String(characters)
    }

    /// All that is said of a text, wherever it is given.
    ///
    /// - Parameter isCommand: Whether a command line is made of it too, which takes a hundred times as long.
    private static func complaints(_ text: String, isCommand: Bool, using random: inout Lottery) -> [String] {
        var complaints: [String] = []
        func note(_ body: () throws -> Void) {
            do { try body() } catch { complaints.append("\(error) \(String(reflecting: error))") }
        }
        note { _ = try RouteArgument(parsing: text) }
        note { _ = try RouteArgument(parsing: "orders=" + text) }
        note { _ = try BrokerSink(text)?.transport(environment: [:], logger: .quiet) }
        note { _ = try LibPQConfiguration(text) }
        if !isCommand { return complaints }
        note { try OutboxCommand.checkSubcommand(of: OutboxCommand.self, in: [text]) }
        let commands = [
            ["relay", "--route", "orders=" + text], ["relay", "--route=orders=" + text], ["relay", "--route", text],
            ["relay", text], ["status", "--postgres", "x", text], [text], ["enqueue", "--" + text],
            ["relay", "--route=" + text],
        ]
        let arguments = commands.randomElement(using: &random)!
        do {
            _ = try OutboxCommand.parseAsRoot(arguments)
        } catch {
            complaints.append(OutboxCommand.message(for: error, arguments: arguments))
        }
        return complaints
    }

    // One address after the other: side by side they have all threads for a minute.
    @Test(.serialized, arguments: addresses) func noComplaintRepeatsIt(_ address: String) async {
        var random = Lottery(seed: address.utf8.reduce(7) { ($0 &* 31) &+ UInt64($1) })
        for number in 0..<(StressSettings.seconds(otherwise: 0) > 0 ? 400 : 50) {
            // Seconds in all, in which other tests want the thread.
            await Task.yield()
            let text = Self.mistyped(address, using: &random)
            let complaints = Self.complaints(text, isCommand: number % 5 == 0, using: &random)
            let repeated = complaints.filter { $0.contains(Self.secret) }
            if repeated.isEmpty { continue }
            Issue.record("\(text): \(repeated)")
            break
        }
    }

    @Test(arguments: [
        ("orders", "orders"), ("--unitl-empty", "--unitl-empty"), ("amqp//me:a@h", "amqp…"), ("d=amqp:me:a@h", "d…"),
        ("password=a", "password…"), ("a b", "…"), ("", ""), ("2026-01-01", "2026-01-01"),
    ])
    func whatIsShownOfAText(_ text: String, _ shown: String) {
        #expect(Redaction.shown(text) == shown)
    }
}

/// The same numbers each time.
private struct Lottery: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { self.state = seed }

    mutating func next() -> UInt64 {
        // SplitMix64.
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var value = self.state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}

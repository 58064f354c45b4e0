import Foundation
import Outbox
import OutboxRuntime
import TestSupport
import Testing

@testable import OutboxTesting

/// What reads texts of people and of rows, with inputs that are nearly right.
@Suite(.timeLimit(.minutes(StressSettings.minutes(atLeast: 5)))) struct FuzzingTests {
    @Test func addressesOfBrokers() async {
        let ports = ["amqp": 5672, "amqps": 5671, "kafka": 9092]
        let fuzzer = Fuzzer(
            "addresses of brokers",
            corpus: [
                "amqp://me:secret@mq-1,mq-2:5673/shop?exchange=orders&type=topic&routing_key={route}",
                "amqps://[::1]:5671/%2f",
                "kafka://k?topic=a%26b", "amqp://h/", "amqp://a%40b:c%3ad@h:1,[fe80::1%25eth0]?x=",
                "KAFKA://h?a=1&&b=2",
            ],
            tokens: ["://", "@", "%2F", "%25", "%zz", "?", "&", "=", ",", "[", "]", ":", "#", "é", "%C3%A9"])
        let ending = await fuzzer.run(text: { text in
            guard let url = try? BrokerURL(text, ports: ports) else { return .refused }
            // What was read, written as plainly as can be, is read as the same.
            guard let again = try? BrokerURL(Self.written(url), ports: ports), again == url else {
                return .wrong("is not read as “\(Self.written(url))”")
            }
            // With another user it is the same address.
            let other = BrokerURL.address(text, user: "a/b@c", password: "%:?#é")
            guard let renamed = try? BrokerURL(other, ports: ports), renamed.user == "a/b@c",
                renamed.password == "%:?#é",
                renamed.hosts == url.hosts, renamed.path == url.path, renamed.parameters == url.parameters
            else { return .wrong("with another user it is “\(other)”") }
            return .accepted
        })
        #expect(ending.isSound, "\(ending)")
    }

    private static func written(_ url: BrokerURL) -> String {
        func encoded(_ text: String) -> String {
            text.utf8.map { "%" + ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        }
        let login = url.user.map { encoded($0) + (url.password.map { ":" + encoded($0) } ?? "") + "@" } ?? ""
        let hosts = url.hosts.map { "[\(encoded($0.name))]:\($0.port)" }.joined(separator: ",")
        let parameters = url.parameters.map { "\(encoded($0.name))=\(encoded($0.value))" }.joined(separator: "&")
        return "\(url.scheme)://\(login)\(hosts)\(url.path.map { "/" + encoded($0) } ?? "")?\(parameters)"
    }

    @Test func templates() async {
        let message = MessageBatch([
            NewMessage(to: "bus", route: "orders", headers: ["tenant": "{x}", "é": "ü"], text: "")
        ])[0]
        let fuzzer = Fuzzer(
            "templates",
            corpus: [
                "{destination}.{route|other}", "a{{b}}c", "{header.tenant}{key|}", "{id}", "", "{header.é}-{{{route}}}",
            ],
            tokens: ["{", "}", "{{", "}}", "|", "{id}", "{key|", "header.", "é", "\u{301}", "{route}"])
        let ending = await fuzzer.run(text: { text in
            // Any text is a constant with its braces doubled, and stands around a place as it is.
            let doubled = String(
                String.UnicodeScalarView(
                    text.unicodeScalars.flatMap { "{}".unicodeScalars.contains($0) ? [$0, $0] : [$0] }))
            guard let constant = try? MessageTemplate(doubled), constant.constant == text else {
                return .wrong("is not the constant “\(doubled)”")
            }
            guard let around = try? MessageTemplate(doubled + "{destination}" + doubled),
                (try? around.text(for: message)) == text + "bus" + text
            else { return .wrong("does not stand around a place") }
            guard let template = try? MessageTemplate(text) else { return .refused }
            if let constant = template.constant, (try? template.text(for: message)) != constant {
                return .wrong("is constant, and is not")
            }
            // A template of two is the two.
            if let twice = try? MessageTemplate(text + "." + text), let once = try? template.text(for: message),
                (try? twice.text(for: message)) != once + "." + once
            {
                return .wrong("is another one beside itself")
            }
            return .accepted
        })
        #expect(ending.isSound, "\(ending)")
    }

    @Test func patternsOfRoutes() async {
        let fuzzer = Fuzzer(
            "patterns of routes",
            corpus: [
                "user.*\nuser.created", "user.>\nuser.a.b", "*\na", ">\na.b", "a*b*.c\naxbyb.c", "a**\na",
                "a.>.b\na.>.b", "\n", ".\n.",
            ],
            tokens: ["*", ".", ">", ".>", "\n", "a", "**"], longest: 40)
        let ending = await fuzzer.run(text: { text in
            let parts = text.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2 else { return .refused }
            let matches = RoutePattern(parts[0]).matches(parts[1])
            if matches != Self.matches(parts[0], parts[1]) {
                return .wrong("\(matches ? "matches" : "does not match")")
            }
            return matches ? .accepted : .refused
        })
        #expect(ending.isSound, "\(ending)")
    }

    /// What ``RoutePattern`` says, by trying everything.
    private static func matches(_ pattern: String, _ route: String) -> Bool {
        func segment(_ pattern: ArraySlice<UInt8>, _ text: ArraySlice<UInt8>) -> Bool {
            guard let first = pattern.first else { return text.isEmpty }
            if first == UInt8(ascii: "*") {
                return segment(pattern.dropFirst(), text) || !text.isEmpty && segment(pattern, text.dropFirst())
            }
            return text.first == first && segment(pattern.dropFirst(), text.dropFirst())
        }
        let patterns = pattern.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).map(
            Array.init)
        let segments = route.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).map(Array.init)
        if patterns.last == [UInt8(ascii: ">")] {
            return segments.count >= patterns.count
                && zip(patterns.dropLast(), segments).allSatisfy { segment($0[...], $1[...]) }
        }
        return patterns.count == segments.count && zip(patterns, segments).allSatisfy { segment($0[...], $1[...]) }
    }

    @Test func optionsOfRows() async {
        let fuzzer = Fuzzer(
            "options of rows",
            corpus: [
                #"{"max_attempts": 3, "max_delay": 60}"#, "{}", #"{"max_delay": 0.25}"#, #"{"max_attempts": 1e2}"#,
                "[]", "null",
                #"{"max_delay": 1e9}"#,
            ],
            tokens: ["max_attempts", "max_delay", "e308", "-", ".5", "2147483648", "null", "{", "}", "\"", ":", ","])
        let ending = await fuzzer.run(text: { text in
            guard let options = try? MessageOptions(json: text) else { return .refused }
            if options.maximumAttempts.map({ $0 < 1 || $0 > Int(Int32.max) }) == true {
                return .wrong("has such attempts")
            }
            if options.maximumDelay.map({ $0 < .zero || $0 > .seconds(1e9) }) == true {
                return .wrong("has such a delay")
            }
            guard let json = options.json else { return options.isEmpty ? .accepted : .wrong("is written as nothing") }
            // As JSON's numbers are read.
            let again = try? MessageOptions(json: json)
            let difference = (again?.maximumDelay ?? .zero) - (options.maximumDelay ?? .zero)
            guard again?.maximumAttempts == options.maximumAttempts, abs(difference.seconds) < 1e-6 else {
                return .wrong("is not read as “\(json)”")
            }
            return .accepted
        })
        #expect(ending.isSound, "\(ending)")
    }
}

import Foundation
import Outbox
import OutboxRuntime
import TestSupport
import Testing

@testable import OutboxCLI

/// What reads command lines and lines of JSON, with inputs that are nearly right.
@Suite(.timeLimit(.minutes(StressSettings.minutes(atLeast: 5)))) struct FuzzingTests {
    private static let documents = [
        #"{"a": [1, -2.5e3, true, false, null, "x"], "b": {"c": {}}}"#, #""\u00e9\ud83d\ude00\n\"\\\/""#, "[]", "0",
        "-0.0",
        "[[[[[[[[1]]]]]]]]", #"{"":"","é":"ü"}"#, "1e5", " \t\r\n[ ] ", #"{"a":1,"a":2}"#,
    ]
    private static let tokens = [
        "\"", "\\", "\\u", "\\ud800", "\\udc00", "{", "}", "[", "]", ",", ":", "true", "null", "e", "E+", "-", ".", "0",
        " ",
        "\u{7f}", "é", "\u{0}", "[[[[", "]]]]",
    ]

    /// Foundation's reader says the same of each text, and finds the same in it.
    @Test func documentsOfJSON() async {
        let fuzzer = Fuzzer("documents of JSON", corpus: Self.documents, tokens: Self.tokens)
        let ending = await fuzzer.run { bytes in
            var scanner = JSONScanner(bytes)
            var value = try? scanner.value()
            if value != nil, (try? scanner.end()) == nil { value = nil }
            // It guesses encodings and takes numbers that no Double holds for wrong.
            if Self.isBeyondFoundation(bytes) { return value == nil ? .refused : .accepted }
            let theirs = try? JSONSerialization.jsonObject(with: Data(bytes), options: [.fragmentsAllowed])
            guard let value else {
                return theirs == nil || Self.isWrongByItsLastCommas(bytes)
                    ? .refused : .wrong("is JSON, says Foundation")
            }
            guard let theirs else { return .wrong("is no JSON, says Foundation") }
            let passed = try? JSONSerialization.jsonObject(with: Data(value), options: [.fragmentsAllowed])
            guard let passed, NSDictionary(object: passed, forKey: "" as NSString).isEqual(to: ["": theirs]) else {
                return .wrong("the text of the value is another")
            }
            if let text = theirs as? String {
                var scanner = JSONScanner(bytes)
                _ = try? scanner.kind()
                guard (try? scanner.string()) == text else { return .wrong("is another string") }
            }
            return .accepted
        }
        #expect(ending.isSound, "\(ending)")
    }

    private static func isBeyondFoundation(_ bytes: ArraySlice<UInt8>) -> Bool {
        let isDigit: (UInt8) -> Bool = { (48...57).contains($0) }
        return bytes.contains(0) || bytes.contains { $0 >= 0xFE } || bytes.starts(with: [0xEF, 0xBB, 0xBF])
            || bytes.isEmpty
            || String(validating: bytes, as: UTF8.self) == nil
            || bytes.contains { $0 == UInt8(ascii: "e") || $0 == UInt8(ascii: "E") }
            || bytes.split(whereSeparator: { !isDigit($0) }).contains { $0.count > 300 }
    }

    /// Whether a text is JSON but for commas behind the last value of an array or the last member of an object. Foundation
    /// accepts those, RFC 8259 does not.
    private static func isWrongByItsLastCommas(_ bytes: ArraySlice<UInt8>) -> Bool {
        var kept: [UInt8] = []
        var isInString = false
        var isEscaped = false
        for byte in bytes {
            if !isInString, byte == UInt8(ascii: "}") || byte == UInt8(ascii: "]"),
                let last = kept.lastIndex(where: { !" \t\n\r".utf8.contains($0) }), kept[last] == UInt8(ascii: ",")
            {
                kept.remove(at: last)
            }
            if byte == UInt8(ascii: "\""), !isEscaped { isInString.toggle() }
            isEscaped = isInString && byte == UInt8(ascii: "\\") && !isEscaped
            kept.append(byte)
        }
        var scanner = JSONScanner(kept[...])
        return kept.count < bytes.count && (try? scanner.value()) != nil && (try? scanner.end()) != nil
    }

    /// Only the oracle is lenient: the scanner refuses what Foundation accepts.
    @Test(arguments: [#"{"h":1,}"#, "[1,]", #"{"a":[1 , ],"b":"}" , }"#, #"[{"a\"":1,}]"#])
    func aCommaBehindTheLastMember(text: String) {
        let bytes = Array(text.utf8)
        var scanner = JSONScanner(bytes[...])
        #expect(throws: JSONScanner.Problem.self) { _ = try scanner.value() }
        #expect(Self.isWrongByItsLastCommas(bytes[...]))
    }

    /// Whatever a string holds, it is written so that both readers find it.
    @Test func stringsOfJSON() async {
        let fuzzer = Fuzzer(
            "strings of JSON", corpus: Self.documents, tokens: Self.tokens + ["\u{1}", "\u{1f}", "\u{2028}", "😀"])
        let ending = await fuzzer.run(text: { text in
            var writer = JSONWriter()
            writer.string(text)
            var scanner = JSONScanner(writer.bytes[...])
            guard (try? scanner.string()) == text, (try? scanner.end()) != nil else {
                return .wrong("is read as another")
            }
            let theirs = try? JSONSerialization.jsonObject(with: Data(writer.bytes), options: [.fragmentsAllowed])
            guard let theirs = theirs as? String, theirs.utf8.elementsEqual(text.utf8) else {
                return .wrong("is another one to Foundation")
            }
            return .accepted
        })
        #expect(ending.isSound, "\(ending)")
    }

    /// A line that is taken says the same when it is written again, and to Foundation.
    @Test func linesOfMessages() async {
        let fuzzer = Fuzzer(
            "lines of messages",
            corpus: [
                #"{"destination":"d","route":"r","key":"k","headers":{"a":"b"},"payload":"é"}"#,
                #"{"destination":"d","payload_base64":"AP8="}"#,
                #"{"id":7,"destination":"d","payload_json": {"a": [1, 2]} }"#,
                #"{"destination":"d","payload":"","deliver_at":"2030-01-31T12:00:00Z","max_attempts":3,"max_delay":0.5}"#,
                #"{"destination":"d","payload":"x","idempotency_key":"i","attempt":1,"created_at":null}"#,
            ],
            tokens: Self.tokens + [
                "\"payload\":", "\"key\":null,", "headers", "deliver_at", "max_attempts", "payload_json",
            ])
        let ending = await fuzzer.run { bytes in
            guard let message = try? MessageLine.decode(bytes) else { return .refused }
            let written = Self.written(message)
            guard let again = try? MessageLine.decode(written[...]), Self.areEqual(again, message) else {
                return .wrong("is not read as \(String(decoding: written, as: UTF8.self))")
            }
            if Self.isBeyondFoundation(bytes.filter { $0 | 0x20 != UInt8(ascii: "e") }[...]) { return .accepted }
            let theirs = try? JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any]
            guard let theirs else { return .wrong("is no JSON, says Foundation") }
            guard theirs["destination"] as? String == message.destination.name,
                theirs["key"] as? String == message.key, theirs["route"] as? String == message.route,
                theirs["headers"] as? [String: String] ?? [:] == message.headers
            else { return .wrong("says something else to Foundation") }
            return .accepted
        }
        #expect(ending.isSound, "\(ending)")
    }

    private static func written(_ message: NewMessage) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.name("destination")
        writer.string(message.destination.name)
        writer.name("route")
        writer.string(message.route)
        writer.name("key")
        writer.string(message.key)
        writer.name("idempotency_key")
        writer.string(message.idempotencyKey)
        writer.name("headers")
        writer.raw(
            String(decoding: (try? JSONSerialization.data(withJSONObject: message.headers)) ?? Data(), as: UTF8.self))
        if let deliverAt = message.deliverAt {
            writer.name("deliver_at")
            writer.string(RFC3339.text(deliverAt))
        }
        if let attempts = message.options.maximumAttempts {
            writer.name("max_attempts")
            writer.integer(attempts)
        }
        if let delay = message.options.maximumDelay {
            writer.name("max_delay")
            writer.double(delay.inSeconds)
        }
        writer.name("payload_base64")
        writer.string(Data(message.payload).base64EncodedString())
        writer.endObject()
        return writer.bytes
    }

    /// Times and delays as far as they are kept: Postgres has microseconds.
    private static func areEqual(_ one: NewMessage, _ other: NewMessage) -> Bool {
        var (one, other) = (one, other)
        let times = (one.deliverAt?.timeIntervalSince1970 ?? 0) - (other.deliverAt?.timeIntervalSince1970 ?? 0)
        let delays = (one.options.maximumDelay ?? .zero).inSeconds - (other.options.maximumDelay ?? .zero).inSeconds
        one.deliverAt = other.deliverAt
        one.options.maximumDelay = other.options.maximumDelay
        return one == other && abs(times) < 1e-5 && abs(delays) < 1e-5
    }

    @Test func intervals() async {
        let fuzzer = Fuzzer(
            "intervals", corpus: ["250ms", "2s", "5m", "1.5h", "7d", "3", "10min", "0", "350us", "10000d"],
            tokens: ["ms", "us", "min", "d", ".", "e9", "-", "∞", "٣", "½", "9999999999"], longest: 30)
        let ending = await fuzzer.run(text: { text in
            guard let interval = try? Interval(parsing: text) else { return .refused }
            let seconds = interval.duration.inSeconds
            guard (0...864_000_000).contains(seconds) else { return .wrong("is \(seconds) s") }
            // It is written in few characters, so nearly the same.
            guard let again = try? Interval(parsing: interval.description) else {
                return .wrong("is not read as \(interval)")
            }
            guard abs(again.duration.inSeconds - seconds) <= max(seconds * 0.06, 1e-6) else {
                return .wrong("is \(interval)")
            }
            return .accepted
        })
        #expect(ending.isSound, "\(ending)")
    }

    /// The calendar of Foundation says the same of each time that there is.
    @Test func timestamps() async {
        let fuzzer = Fuzzer(
            "timestamps",
            corpus: [
                "2026-01-31T12:00:00Z", "2024-02-29T23:59:59.123456+14:00", "1969-12-31T23:59:59Z",
                "2000-02-29 00:00:00-00:30",
                "9999-12-31T23:59:60Z", "1600-02-29t00:00:00z", "0000-01-01T00:00:00Z",
            ],
            tokens: ["-02-29", "T24:00", ":60", "Z", "+01:00", "-", ".", "1900", "2100"], longest: 60)
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = TimeZone(secondsFromGMT: 0) ?? .current
        let gregorian = calendar
        let ending = await fuzzer.run(text: { text in
            guard let date = RFC3339.date(text) else { return .refused }
            let written = RFC3339.text(date)
            guard let again = RFC3339.date(written) else { return .wrong("is not read as \(written)") }
            // Where it is shifted out of the years that can be written, it is the nearest one.
            let isInside = (-62_167_219_200...253_402_300_799).contains(date.timeIntervalSince1970)
            guard !isInside || abs(again.timeIntervalSince(date)) < 1e-4 else {
                return .wrong("is written as \(written)")
            }
            let bytes = Array(text.utf8)
            func number(_ range: Range<Int>) -> Int { bytes[range].reduce(0) { $0 * 10 + Int($1) - 48 } }
            // Foundation has the calendar of Julius Caesar before.
            if number(0..<4) > 1582, bytes[19] == UInt8(ascii: "Z"), number(17..<19) < 60, isInside {
                let parts = calendarParts(gregorian, date)
                guard
                    parts == [
                        number(0..<4), number(5..<7), number(8..<10), number(11..<13), number(14..<16), number(17..<19),
                    ]
                else { return .wrong("is \(parts)") }
            }
            return .accepted
        })
        #expect(ending.isSound, "\(ending)")
    }
}

private func calendarParts(_ calendar: Calendar, _ date: Date) -> [Int] {
    let parts = calendar.dateComponents([.year, .month, .day, .hour, .minute, .second], from: date)
    return [parts.year, parts.month, parts.day, parts.hour, parts.minute, parts.second].map { $0 ?? -1 }
}

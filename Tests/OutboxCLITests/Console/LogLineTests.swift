import Foundation
import Logging
import TestSupport
import Testing

@testable import OutboxCLI

/// A line of the log in each format.
@Suite(.timeLimit(.minutes(1))) struct LogLineTests {
    private func line(_ message: String, _ details: [(String, Logger.MetadataValue)]) -> LogLine {
        LogLine(
            time: Date(timeIntervalSince1970: 0), level: .warning, label: "outbox.relay", message: message,
            details: details.map { (key: $0.0, value: $0.1) })
    }

    @Test func eachFormat() throws {
        let line = self.line("It is down", [("outbox.destination", "mail"), ("outbox.error", "no \"route\" to\nhost")])
        #expect(
            line.text(on: .error)
                == #"1970-01-01T00:00:00.000000Z WARNING It is down outbox.destination=mail outbox.error="no \"route\" to host""#
        )
        #expect(
            line.logfmt
                == #"time=1970-01-01T00:00:00.000000Z level=warning logger=outbox.relay message="It is down" outbox.destination=mail outbox.error="no \"route\" to host""#
        )
        let bytes = line.json
        #expect(bytes.filter { $0 == UInt8(ascii: "\n") }.count == 1 && bytes.last == UInt8(ascii: "\n"))
        let json = try JSON(String(decoding: bytes, as: UTF8.self))
        #expect(json["time"].string == "1970-01-01T00:00:00.000000Z" && json["level"].string == "warning")
        #expect(json["message"].string == "It is down" && json["outbox.error"].string == "no \"route\" to\nhost")
    }

    /// Whatever a producer or another side has chosen as a name or an error: it is one line, and each value is where it belongs.
    @Test(
        arguments: [
            "", " ", "a=b", "\"", "\\", "a\\", "\\\"", "\n", "\u{1B}[31mred", "\u{202E}desrever", "\0",
            "x outbox.error=forged",
            "\" level=critical", "'", "😀", "a\tb", "\u{2028}", "a\"\u{200D} level=critical x=\"",
            "\\\u{301}\" level=critical", "=\u{338}a=\u{338}", "\u{9B}31m", " \u{301}level=critical",
            String(repeating: "x", count: 10_000),
        ]) func noValueIsTakenForAnother(value: String) throws
    {
        let line = self.line(
            value, [("level", .string(value)), ("outbox.error", .string(value)), ("z", .array([.string(value)]))])
        for text in [line.logfmt, line.text(on: .error)] {
            #expect(!text.unicodeScalars.contains { $0.properties.generalCategory == .control || $0 == "\u{202E}" })
        }
        let pairs = self.pairs(line.logfmt)
        #expect(
            pairs.map(\.name) == ["time", "level", "logger", "message", "_level", "outbox.error", "z"], "\(line.logfmt)"
        )
        #expect(pairs[1].value == "warning" && pairs[5].value == value.plain())
        let json = try JSON(String(decoding: line.json, as: UTF8.self))
        #expect(json["level"].string == "warning" && json["_level"].string == value.plain(keepingLines: true))
        #expect(json["outbox.error"].string == json["_level"].string && json["z"][0].string == json["_level"].string)
    }

    /// Takes a line apart as readers of logfmt do: by scalars.
    private func pairs(_ line: String) -> [(name: String, value: String)] {
        var pairs: [(name: String, value: String)] = []
        var rest = Array(line.unicodeScalars)[...]
        func text(_ scalars: some Sequence<Unicode.Scalar>) -> String { String(String.UnicodeScalarView(scalars)) }
        while !rest.isEmpty {
            let name = rest.prefix { $0 != "=" }
            rest = rest.dropFirst(name.count + 1)
            var value: [Unicode.Scalar] = []
            if rest.first == "\"" {
                rest.removeFirst()
                while let next = rest.popFirst(), next != "\"" {
                    value.append(next == "\\" ? rest.removeFirst() : next)
                }
            } else {
                value = Array(rest.prefix { $0 != " " })
                rest = rest.dropFirst(value.count)
            }
            pairs.append((text(name), text(value)))
            rest = rest.dropFirst()
        }
        return pairs
    }
}

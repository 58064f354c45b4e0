import Foundation
import Testing

@testable import OutboxCLI

/// Nothing that comes from messages, errors or names is anything else in the page than text.
@Suite(.timeLimit(.minutes(1))) struct EscapedHTMLTests {
    /// Strings that are known to have become something else in other programs.
    static let corpus = [
        "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "' onmouseover='alert(1)",
        "` onclick=`alert(1)",
        "javascript:alert(1)", "</title><script>alert(1)</script>", "<!--", "]]>", "{{name}}", "{{{name}}}",
        "{{#pages}}x{{/pages}}",
        "&lt;script&gt;", "&#60;script&#62;", "\u{0}<\u{0}script>", "<\u{301}script>",
        "\"\u{301} onfocus=alert(1) autofocus x=\"",
        "'\u{20E3} onfocus=alert(1) '", ">\u{FE0F}<b>", "&\u{200D}lt;", "\u{202E}<b>", "<svg/onload=alert(1)>",
        "<ScRiPt>", "\r\n\r\n<b>",
        "data: x\nevent: look\n\n", "</textarea><script>", "</pre><b>", "%3Cscript%3E", "\u{FF1C}script\u{FF1E}",
        "<b\u{200D}>",
    ]

    @Test(arguments: Self.corpus) func nothingIsLeftThatABrowserActsOn(_ text: String) {
        let escaped = EscapedHTML().escapeText(text)
        let scalars = Set(escaped.unicodeScalars)
        for character in "<>\"'`\u{0}".unicodeScalars {
            #expect(!scalars.contains(character), "\(character) in \(escaped)")
        }
        for part in escaped.unicodeScalars.split(separator: "&").dropFirst() {
            let entity = String(String.UnicodeScalarView(part.prefix { $0 != ";" }))
            #expect(["lt", "gt", "amp", "quot", "#39", "#96"].contains(entity), "\(entity) in \(escaped)")
        }
        // And nothing is lost.
        var read = escaped
        for (entity, character) in [
            ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&#96;", "`"), ("&amp;", "&"),
        ] {
            read = String(
                decoding: Data(read.utf8).split(entity, by: character), as: UTF8.self)
        }
        #expect(read.unicodeScalars.elementsEqual(text.replacing("\u{0}", with: "\u{FFFD}").unicodeScalars))
    }

    /// Each template escapes: a value that is all of the corpus leaves the markup as it is with a plain one.
    @Test(arguments: WebTemplates.names) func everyTemplateEscapes(_ name: String) {
        func markup(_ value: String) -> [String] {
            let row: [String: Any] = Dictionary(uniqueKeysWithValues: Self.names.map { ($0, value as Any) })
            var values = row
            for list in [
                "pages", "figures", "charts", "rows", "streams", "groups", "reasons", "buttons", "fields",
                "filterFields",
                "changeFields", "relays", "findings", "migrations", "segments",
            ] { values[list] = [row] }
            for texts in ["troubles", "columns", "cells", "lines", "quarters"] { values[texts] = [value] }
            for flag in [
                "canChange", "hasReasons", "hasStreams", "hasRelays", "hasMigrations", "hasSegments", "isPossible",
                "hasDead",
            ] {
                values[flag] = true
            }
            values["isEmpty"] = false
            var payload = row
            payload["views"] = [row]
            values["payload"] = payload
            values["headers"] = ["all": [row]]
            values["conditions"] = ["all": [row]]
            values["pager"] = row
            if ["overview_live", "relays", "schema", "doctor"].contains(name) { values["failure"] = nil }
            if let rows = values["groups"] as? [[String: Any]] {
                values["groups"] = rows.map { $0.merging(["rows": [row]]) { $1 } }
            }
            let text = WebTemplates().text(name, values)
            // All but texts: tags with the names of their attributes. As browsers read, which know no characters of several scalars.
            let withoutValues = text.replacing(#/"[^"]*"/#.matchingSemantics(.unicodeScalar), with: "\"\"")
            return withoutValues.matches(of: #/<[^>]*>/#.matchingSemantics(.unicodeScalar)).map { String($0.output) }
        }
        let plain = markup("plain")
        #expect(plain.count > 0 || name == "pager")
        for text in Self.corpus { #expect(markup(text) == plain, "\(name) with \(text)") }
    }

    private static let names = [
        "title", "outbox", "href", "name", "note", "access", "version", "time", "search", "events", "failure", "kind",
        "value", "caption",
        "state", "reason", "waiting", "oldest", "rate", "inFlight", "deferred", "deadHref", "dead", "empty", "taken",
        "scale", "description",
        "previous", "next", "range", "outage", "unserved", "route", "slots", "relay", "position", "deferredHref",
        "messages", "first", "last",
        "error", "groupsFailure", "action", "destination", "older", "newer", "oneAction", "id", "key", "attempts",
        "verb", "headersText", "size",
        "text", "cut", "payloadHidden", "question", "consequence", "token", "button", "place", "none", "process",
        "host", "does", "streams",
        "connected", "destinations", "summary", "check", "seen", "advice", "mark", "since", "number", "retention",
    ]
}

extension Data {
    /// Replaces byte sequences, whatever they are part of.
    fileprivate func split(_ text: String, by other: String) -> Data {
        var result = self
        var start = result.startIndex
        while let range = result.range(of: Data(text.utf8), in: start..<result.endIndex) {
            result.replaceSubrange(range, with: Data(other.utf8))
            start = range.lowerBound + other.utf8.count
        }
        return result
    }
}

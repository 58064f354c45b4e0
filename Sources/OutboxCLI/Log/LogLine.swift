import Logging
import OutboxRuntime

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// An event of the log, to be written.
struct LogLine {
    var time: Date
    var level: Logger.Level
    var label: String
    var message: String
    /// In the order in which they are written.
    var details: [(key: String, value: Logger.MetadataValue)]

    /// For a person. The level of what needs one has a colour.
    func text(on terminal: Terminal) -> String {
        let level = self.level.rawValue.uppercased()
        let style: Terminal.Style? =
            switch self.level {
            case .critical, .error: .red
            case .warning: .yellow
            default: nil
            }
        let shown = style.map { terminal.styled(level, $0) } ?? level
        return ([RFC3339.text(self.time), shown, self.message.plain()] + self.pairs).joined(separator: " ")
    }

    /// As programs read it that take `name=value` apart.
    var logfmt: String {
        ([
            "time=\(RFC3339.text(self.time))", "level=\(self.level.rawValue)", "logger=\(Self.quoted(self.label))",
            "message=\(Self.quoted(self.message))",
        ] + self.pairs).joined(separator: " ")
    }

    /// An object with its line's end. What a terminal acts on is replaced, but for line breaks and tabs, which JSON escapes.
    var json: [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        json.name("time")
        json.string(RFC3339.text(self.time))
        json.name("level")
        json.string(self.level.rawValue)
        json.name("logger")
        json.string(self.label)
        json.name("message")
        json.string(self.message.plain(keepingLines: true))
        for (key, value) in self.details {
            json.name(of: Self.own(key))
            Self.write(value, &json)
        }
        json.endObject()
        json.newline()
        return json.take()
    }

    private var pairs: [String] {
        self.details.map { "\(Self.name(Self.own($0.key)))=\(Self.quoted($0.value.description))" }
    }

    /// The name of what an event brings itself: none of those that each line has.
    private static func own(_ name: String) -> String {
        ["time", "level", "logger", "message"].contains(name) ? "_\(name)" : name
    }

    private static func write(_ value: Logger.MetadataValue, _ json: inout JSONWriter) {
        switch value {
        case .string, .stringConvertible: json.string(value.description.plain(keepingLines: true))
        case .array(let values):
            json.beginArray()
            for value in values { self.write(value, &json) }
            json.endArray()
        case .dictionary(let members):
            json.beginObject()
            for (key, value) in members.sorted(by: { $0.key < $1.key }) {
                json.name(of: key)
                self.write(value, &json)
            }
            json.endObject()
        }
    }

    /// A name without what separates it from its value or the next one.
    private static func name(_ name: String) -> String {
        String(String.UnicodeScalarView(name.plain().unicodeScalars.map { self.separates($0) ? "_" : $0 }))
    }

    /// A value as it is where it is one word, and else within quotes, in which a quote and a backslash have a backslash before them. What moves the
    /// cursor of a terminal is not in it.
    ///
    /// By scalars, as those look at a line that read it: a quote with an accent is one character, and not a quote.
    static func quoted(_ value: String) -> String {
        let scalars = value.plain().unicodeScalars
        if !scalars.isEmpty, !scalars.contains(where: self.separates) { return String(scalars) }
        var text: String.UnicodeScalarView = .init("\"".unicodeScalars)
        for scalar in scalars {
            if scalar == "\"" || scalar == "\\" { text.append("\\") }
            text.append(scalar)
        }
        text.append("\"")
        return String(text)
    }

    private static func separates(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.isWhitespace || scalar == "=" || scalar == "\"" || scalar == "\\"
    }
}

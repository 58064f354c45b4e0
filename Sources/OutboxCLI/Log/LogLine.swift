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

    /// An object with its line's end. What an event brings itself has no name of those that each has.
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
        json.string(self.message)
        for (key, value) in self.details {
            json.name(of: ["time", "level", "logger", "message"].contains(key) ? "_\(key)" : key)
            Self.write(value, &json)
        }
        json.endObject()
        json.newline()
        return json.take()
    }

    private var pairs: [String] { self.details.map { "\(Self.name($0.key))=\(Self.quoted($0.value.description))" } }

    private static func write(_ value: Logger.MetadataValue, _ json: inout JSONWriter) {
        switch value {
        case .string(let text): json.string(text)
        case .stringConvertible(let value): json.string(value.description)
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
        String(name.plain().map { $0.isWhitespace || $0 == "=" || $0 == "\"" ? "_" : $0 })
    }

    /// A value as it is where it is one word, and else within quotes, in which a quote and a backslash have a backslash before them. What moves the
    /// cursor of a terminal is not in it.
    static func quoted(_ value: String) -> String {
        let value = value.plain()
        let isWord = !value.isEmpty && value.allSatisfy { !$0.isWhitespace && $0 != "=" && $0 != "\"" && $0 != "\\" }
        if isWord { return value }
        var text = "\""
        for character in value {
            if character == "\"" || character == "\\" { text.append("\\") }
            text.append(character)
        }
        return text + "\""
    }
}

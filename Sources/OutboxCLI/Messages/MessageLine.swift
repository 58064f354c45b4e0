import Outbox
import OutboxRuntime

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A message as a line of NDJSON.
enum MessageLine {
    /// What is wrong with a line: the field, where it is one, and the reason.
    struct Problem: Error, CustomStringConvertible {
        let description: String

        init(_ description: String) {
            self.description = description
        }

        init(field: String, _ reason: String) {
            self.description = "“\(field.plain(60))” \(reason)"
        }
    }

    /// What a relay writes and a new message does not have.
    private static let ignored: Set = ["id", "attempt", "created_at"]
    private static let names = [
        "destination", "route", "key", "idempotency_key", "headers", "deliver_at", "max_attempts", "max_delay",
        "payload", "payload_base64", "payload_json",
    ]

    /// Reads a line.
    static func decode(_ line: ArraySlice<UInt8>) throws(Problem) -> NewMessage {
        var scanner = JSONScanner(line)
        var message = NewMessage(to: "", payload: [])
        var seen: Set<String> = []
        guard try self.kind(&scanner) == .object else { throw Problem("not a JSON object") }
        try scanner.object(
            { name, value throws(Problem) in
                if self.ignored.contains(name) {
                    _ = try self.text(&value)
                    return
                }
                guard seen.insert(name).inserted else { throw Problem(field: name, "is there twice") }
                try self.read(name, &value, into: &message)
            }, self.syntax)
        do throws(JSONScanner.Problem) { try scanner.end() } catch { throw self.syntax(error) }
        try self.check(message, seen)
        return message
    }

    private static func read(
        _ name: String, _ value: inout JSONScanner, into message: inout NewMessage
    ) throws(Problem) {
        let isNull = try self.kind(&value) == .null
        if isNull, name != "payload_json" {
            _ = try self.text(&value)
            if name == "destination" || name.hasPrefix("payload") { throw Problem(field: name, "is null") }
            return
        }
        switch name {
        case "destination": message.destination = Destination(try self.string(name, &value))
        case "route": message.route = try self.string(name, &value)
        case "key": message.key = try self.string(name, &value)
        case "idempotency_key": message.idempotencyKey = try self.string(name, &value)
        case "headers": message.headers = try self.headers(&value)
        case "deliver_at":
            guard let date = RFC3339.date(try self.string(name, &value)) else {
                throw Problem(field: name, "is no time such as 2030-01-31T12:00:00Z")
            }
            message.deliverAt = date
        case "max_attempts":
            guard let attempts = Int(exactly: try self.number(name, &value)), attempts >= 1 else {
                throw Problem(field: name, "is no whole number from 1")
            }
            message.options.maximumAttempts = attempts
        case "max_delay":
            let seconds = try self.number(name, &value)
            guard (0...1e9).contains(seconds) else { throw Problem(field: name, "is no number of seconds up to 1e9") }
            message.options.maximumDelay = .seconds(seconds)
        case "payload": message.payload = Array(try self.string(name, &value).utf8)
        case "payload_base64":
            guard let data = Data(base64Encoded: try self.string(name, &value)) else {
                throw Problem(field: name, "is not base64")
            }
            message.payload = Array(data)
        case "payload_json":
            message.payload = Array(try self.text(&value))
        default:
            let hint = NearestName.suggestion(for: name, among: self.names)
            throw Problem(field: name, "is no field of a message; \(hint)")
        }
    }

    private static func check(_ message: NewMessage, _ seen: Set<String>) throws(Problem) {
        guard seen.contains("destination") else { throw Problem(field: "destination", "is missing") }
        switch seen.filter({ $0.hasPrefix("payload") }).count {
        case 0: throw Problem(field: "payload", "is missing")
        case 1: break
        default: throw Problem("only one of “payload”, “payload_base64” and “payload_json” is possible")
        }
        do throws(InvalidMessage) {
            try message.validate()
        } catch {
            throw Problem(field: self.renamed[error.field] ?? error.field, error.reason)
        }
    }

    /// The fields whose names here are others than those of the properties.
    private static let renamed = ["deliverAt": "deliver_at", "idempotencyKey": "idempotency_key"]

    // MARK: - Values

    private static func syntax(_ problem: JSONScanner.Problem) -> Problem {
        Problem("\(problem.reason), at byte \(problem.position)")
    }

    private static func text(_ value: inout JSONScanner) throws(Problem) -> ArraySlice<UInt8> {
        do throws(JSONScanner.Problem) { return try value.value() } catch { throw self.syntax(error) }
    }

    private static func kind(_ scanner: inout JSONScanner) throws(Problem) -> JSONScanner.Kind {
        do throws(JSONScanner.Problem) { return try scanner.kind() } catch { throw self.syntax(error) }
    }

    private static func string(_ name: String, _ value: inout JSONScanner) throws(Problem) -> String {
        guard try self.kind(&value) == .string else { throw Problem(field: name, "is not a string") }
        do throws(JSONScanner.Problem) { return try value.string() } catch { throw self.syntax(error) }
    }

    private static func number(_ name: String, _ value: inout JSONScanner) throws(Problem) -> Double {
        guard try self.kind(&value) == .number else { throw Problem(field: name, "is not a number") }
        do throws(JSONScanner.Problem) { return try value.number() } catch { throw self.syntax(error) }
    }

    private static func headers(_ value: inout JSONScanner) throws(Problem) -> [String: String] {
        guard try self.kind(&value) == .object else { throw Problem(field: "headers", "is not an object of strings") }
        var headers: [String: String] = [:]
        try value.object(
            { name, inner throws(Problem) in
                guard try self.kind(&inner) == .string else {
                    throw Problem(field: "headers", "is not an object of strings: “\(name.plain(60))”")
                }
                let value = try self.string("headers", &inner)
                guard headers.updateValue(value, forKey: name) == nil else {
                    throw Problem(field: "headers", "has “\(name.plain(60))” twice")
                }
            }, self.syntax)
        return headers
    }
}

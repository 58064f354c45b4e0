import Foundation

/// What the program writes and reads of JSON and times, by hand and with Foundation. The files beside this one are links to the
/// program's own. Its numbers are in decision 0027.
@main
enum TextBench {
    static func main() throws {
        for _ in 0..<2 { try self.round(prints: false) }
        try self.round(prints: true)
    }

    private static func round(prints: Bool) throws {
        func measure(_ name: String, _ body: () throws -> Int) rethrows {
            let clock = ContinuousClock()
            let count = 50_000
            var bytes = 0
            let times = try (0..<7).map { _ in
                let start = clock.now
                for _ in 0..<count { bytes &+= try body() }
                return (clock.now - start) / count
            }
            guard prints, bytes != 0 else { return }
            let (seconds, attoseconds) = times.sorted()[times.count / 2].components
            print("\(name): \(seconds * 1_000_000_000 + attoseconds / 1_000_000_000) ns")
        }
        let line = Line.example
        let headers = [
            "content-type": "application/json",
            "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ]
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes]
        let decoder = JSONDecoder()
        let date = Date(timeIntervalSince1970: 1_764_410_000.123456)
        let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        let time = "2026-11-29T10:00:00.123456Z"
        let text = Array(line.written)

        measure("write a line, JSONWriter") { line.written.count }
        try measure("write a line, JSONEncoder") { try encoder.encode(line).count }
        measure("write two headers, JSONWriter") {
            var json = JSONWriter()
            json.beginObject()
            for (name, value) in headers.sorted(by: { $0.key < $1.key }) {
                json.name(of: name)
                json.string(value)
            }
            json.endObject()
            return json.bytes.count
        }
        try measure("write two headers, JSONEncoder") { try encoder.encode(headers).count }
        measure("write a time, RFC3339") { RFC3339.text(date).utf8.count }
        measure("write a time, Date.ISO8601FormatStyle") { date.formatted(style).utf8.count }
        measure("read a time, RFC3339") { Int(RFC3339.date(time)?.timeIntervalSince1970 ?? 0) }
        try measure("read a time, Date.ISO8601FormatStyle") { Int(try style.parse(time).timeIntervalSince1970) }
        try measure("read a line, JSONScanner") { try Line(scanning: text[...]).payload.utf8.count }
        try measure("read a line, JSONDecoder") { try decoder.decode(Line.self, from: Data(text)).payload.utf8.count }
        if prints {
            print("a time, RFC3339: \(RFC3339.text(date)), Foundation: \(date.formatted(style))")
            let old = Date(timeIntervalSince1970: -62_167_219_200)
            print("the first time, RFC3339: \(RFC3339.text(old)), Foundation: \(old.formatted(style))")
            for time in [
                "2026-11-29T10:00:00Z", "2026-11-29 10:00:00z", "2026-11-29T10:00:00.5+01:00",
                "2026-11-29T10:00:00.5Z and more",
                "2026-02-31T10:00:00.5Z",
            ] {
                print("\(time): RFC3339 \(RFC3339.date(time) != nil), Foundation \((try? style.parse(time)) != nil)")
            }
        }
    }
}

/// A message as `outbox relay` writes it.
private struct Line: Codable {
    var id: Int64
    var destination: String
    var route: String?
    var key: String?
    var headers: [String: String]
    var createdAt: String
    var attempt: Int
    var payload: String

    private enum CodingKeys: String, CodingKey {
        case id, destination, route, key, headers
        case createdAt = "created_at"
        case attempt, payload
    }

    static let example = Line(
        id: 1_234_567, destination: "event-bus", route: "order.created", key: "customer-42",
        headers: ["traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
        createdAt: "2026-11-29T10:00:00.123456Z", attempt: 1,
        payload: #"{"order": 42, "customer": "Ada", "lines": ["# + String(repeating: #"{"sku": "x"},"#, count: 10)
            + "]}")

    private static let headersJSON = #"{"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}"#

    var written: [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        json.name("id")
        json.integer(self.id)
        json.name("destination")
        json.string(self.destination)
        json.name("route")
        json.string(self.route)
        json.name("key")
        json.string(self.key)
        json.name("headers")
        json.raw(Self.headersJSON)
        json.name("created_at")
        json.string(self.createdAt)
        json.name("attempt")
        json.integer(self.attempt)
        json.name("payload")
        json.string(self.payload)
        json.endObject()
        return json.bytes
    }
}

extension Line {
    init(scanning text: ArraySlice<UInt8>) throws(JSONScanner.Problem) {
        var line = Line(id: 0, destination: "", headers: [:], createdAt: "", attempt: 0, payload: "")
        var scanner = JSONScanner(text)
        try scanner.object(
            { name, value throws(JSONScanner.Problem) in
                guard try value.kind() != .null else {
                    _ = try value.value()
                    return
                }
                switch name {
                case "id": line.id = Int64(try value.number())
                case "destination": line.destination = try value.string()
                case "route": line.route = try value.string()
                case "key": line.key = try value.string()
                case "headers":
                    try value.object(
                        { name, inner throws(JSONScanner.Problem) in
                            _ = try inner.kind()
                            line.headers[name] = try inner.string()
                        }, { $0 })
                case "created_at": line.createdAt = try value.string()
                case "attempt": line.attempt = Int(try value.number())
                case "payload": line.payload = try value.string()
                default: _ = try value.value()
                }
            }, { $0 })
        try scanner.end()
        self = line
    }
}

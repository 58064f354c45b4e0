import Outbox

/// What a relay is doing, in the name of its session: `outbox relay [120 7:0! 3:120]`.
///
/// In brackets stand the messages in flight, then of the streams with something to tell the number, the messages in flight
/// and, where the destination is down, an exclamation mark. Streams that are down come first, then those with the most in flight;
/// a plus at the end says that more did not fit into the 63 bytes that a name has.
///
/// A role that may see the session may see its name, and a change of the name writes no row and no WAL.
struct ActivityReport: Sendable, Hashable {
    /// Of all streams.
    var inFlight: Int
    /// By the stream's number: of those that fitted.
    var streams: [Int32: Stream]
    /// Whether streams that are not there have nothing to tell.
    var isComplete: Bool

    /// What is said of a stream.
    struct Stream: Sendable, Hashable {
        var inFlight: Int
        var isDown: Bool
    }

    /// How many bytes the name of a session has at most.
    private static let longest = 63
    /// How many of them are left to the session's own name.
    private static let longestName = 24

    /// The report of all that a relay does.
    init(_ activity: [StreamID: StreamActivity]) {
        self.inFlight = activity.values.reduce(0) { $0 + $1.inFlight }
        self.streams = Dictionary(
            activity.lazy.filter { $0.value.outage != nil || $0.value.inFlight > 0 }.map {
                ($0.key.value, Stream(inFlight: $0.value.inFlight, isDown: $0.value.outage != nil))
            },
            uniquingKeysWith: { first, _ in first })
        self.isComplete = true
    }

    /// Reads a session's name.
    ///
    /// - Returns: The session's own name, and the report; nil: there is none in it.
    static func reading(_ text: String) -> (name: String, report: ActivityReport?) {
        guard text.hasSuffix("]"), let bracket = text.lastIndex(of: "[") else { return (text, nil) }
        var words = text[text.index(after: bracket)...].dropLast().split(separator: " ")[...]
        guard let first = words.popFirst(), let inFlight = Int(first) else { return (text, nil) }
        var report = ActivityReport([:])
        report.inFlight = inFlight
        if words.last == "+" {
            words.removeLast()
            report.isComplete = false
        }
        for word in words {
            let isDown = word.hasSuffix("!")
            let parts = (isDown ? word.dropLast() : word).split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count == 2, let stream = Int32(parts[0]), let count = Int(parts[1]) else { return (text, nil) }
            report.streams[stream] = Stream(inFlight: count, isDown: isDown)
        }
        let name = text[..<bracket]
        return (String(name.hasSuffix(" ") ? name.dropLast() : name), report)
    }

    /// What is done with a stream; nil: that is not known.
    func activity(of stream: Int32) -> Stream? {
        self.streams[stream] ?? (self.isComplete ? Stream(inFlight: 0, isDown: false) : nil)
    }

    /// The name of a session with this report in it.
    func text(named name: String) -> String {
        var text = "\(Self.prefix(of: name)) [\(self.inFlight)"
        let order = self.streams.sorted { one, other in
            (one.value.isDown ? 0 : 1, -one.value.inFlight, one.key)
                < (other.value.isDown ? 0 : 1, -other.value.inFlight, other.key)
        }
        for (index, (stream, activity)) in order.enumerated() {
            let word = " \(stream):\(activity.inFlight)\(activity.isDown ? "!" : "")"
            // What has to fit behind it: that there is more, and the bracket.
            let rest = index == order.count - 1 && self.isComplete ? 1 : 3
            if text.utf8.count + word.utf8.count + rest > Self.longest { return text + " +]" }
            text += word
        }
        return text + (self.isComplete ? "]" : " +]")
    }

    /// The beginning of a name, as long as it may be: an application may have called its relay anything.
    private static func prefix(of name: String) -> String {
        var result = ""
        for character in name {
            if result.utf8.count + character.utf8.count > Self.longestName { break }
            result.append(character)
        }
        return result
    }
}

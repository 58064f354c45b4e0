import HTTPTypes
import HummingbirdCore
import NIOCore
import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Keeps pages up to date that are open: what a look has found is sent when there is a new one (server-sent events; WHATWG HTML, section 9.2).
final class LivePages: Sendable {
    /// How many there are at the same time; what more there are have to be loaded again by hand.
    private static let most = 32
    /// How long one answer goes on; then the browser asks again. Less than a connection may wait for an answer.
    private static let time = Duration.seconds(20)
    private static let pause = Duration.seconds(2)

    private let count = Atomic<Int>(0)

    /// An answer that goes on.
    ///
    /// - Parameter look: What the page shows, and when the database was looked at for it; nil: it could not be.
    /// - Throws: A ``WebRefusal``, where there are too many.
    func answer(
        _ look: @escaping @Sendable () async throws -> (text: String, takenAt: Date?)
    ) throws(WebRefusal) -> Response {
        guard self.count.add(1, ordering: .relaxed).newValue <= Self.most else {
            self.count.subtract(1, ordering: .relaxed)
            throw WebRefusal(.serviceUnavailable, "Too many pages are kept up to date.")
        }
        let place = Place { self.count.subtract(1, ordering: .relaxed) }
        var headers = WebAnswer.headers("text/event-stream")
        // A proxy that collects answers would keep it until it ends.
        if let name = HTTPField.Name("X-Accel-Buffering") { headers[name] = "no" }
        return Response(
            status: .ok, headers: headers,
            body: ResponseBody { writer in
                defer { place.free() }
                let end = ContinuousClock.now + Self.time
                try await writer.write(ByteBuffer(string: "retry: 500\n\n"))
                var last: Date?
                while ContinuousClock.now < end, !Task.isCancelled {
                    let (text, takenAt) = try await look()
                    // A failure is sent again and again: the page says since when it has not heard of anything.
                    let isNew = takenAt == nil || takenAt != last
                    try await writer.write(ByteBuffer(string: Self.event(isNew ? "look" : "same", isNew ? text : "")))
                    last = takenAt
                    try await Task.sleep(for: Self.pause)
                }
                try await writer.finish(nil)
            })
    }

    private static func event(_ name: String, _ data: String) -> String {
        let lines = data.split(omittingEmptySubsequences: false) { $0.isNewline }
        return "event: \(name)\n" + lines.map { "data: \($0)\n" }.joined() + "\n"
    }

    /// Is given back once: when its answer ends, or when none is written.
    private final class Place: Sendable {
        private let body: @Sendable () -> Void
        private let isFree = Atomic<Bool>(false)

        init(_ body: @escaping @Sendable () -> Void) {
            self.body = body
        }

        deinit { self.free() }

        func free() { if !self.isFree.exchange(true, ordering: .relaxed) { self.body() } }
    }
}

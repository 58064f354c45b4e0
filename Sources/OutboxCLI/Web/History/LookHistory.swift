import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What looks at the database have found within the last hour, kept in memory.
final class LookHistory: Sendable {
    struct Point: Sendable, Hashable {
        let time: Date
        let waiting: Int
        let deferred: Int
        let dead: Int
        /// Messages a second; nil: unknown.
        let rate: Double?
    }

    /// How long a point is kept.
    static let span: TimeInterval = 3600
    /// Points that are closer replace each other: an hour has 720 of them at most.
    static let resolution: TimeInterval = 5

    private let points = Mutex<[Point]>([])

    /// The points of the hour, in order of time.
    var all: [Point] { self.points.withLock { $0 } }

    /// Adds a point.
    func add(_ point: Point) {
        self.points.withLock { points in
            // A clock that was set back leaves nothing that is of any use.
            if let last = points.last, last.time > point.time { points.removeAll() }
            if let last = points.last, point.time.timeIntervalSince(last.time) < Self.resolution / 2 {
                points.removeLast()
            }
            points.append(point)
            let begin = point.time.addingTimeInterval(-Self.span)
            if let first = points.first, first.time < begin { points.removeAll { $0.time < begin } }
        }
    }

    /// Forgets all: they were of another outbox.
    func clear() { self.points.withLock { $0.removeAll() } }
}

extension LookHistory.Point {
    init(_ figures: DatabaseFigures, at time: Date) {
        let rates = figures.destinations.compactMap(\.rate)
        self.init(
            time: time, waiting: figures.destinations.reduce(0) { $0 + $1.waiting },
            deferred: figures.destinations.reduce(0) { $0 + $1.deferred },
            dead: figures.destinations.reduce(0) { $0 + $1.dead },
            rate: rates.isEmpty ? nil : rates.reduce(0, +))
    }
}

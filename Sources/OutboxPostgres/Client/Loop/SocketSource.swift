/// What a socket can be waited for, and what ended a wait.
struct SocketEvents: OptionSet, Sendable {
    let rawValue: UInt8

    static let readable = SocketEvents(rawValue: 1)
    static let writable = SocketEvents(rawValue: 2)
    /// The deadline has passed.
    static let deadline = SocketEvents(rawValue: 4)
}

/// A socket that a ``SocketLoop`` can watch. Used only on the thread of that loop.
final class SocketSource {
    let descriptor: CInt
    /// Called on the loop's thread. The source stays armed until it is told otherwise.
    let onEvents: (SocketEvents) -> Void

    fileprivate(set) var events: SocketEvents = []
    fileprivate(set) var deadline: ContinuousClock.Instant?
    fileprivate(set) var isArmed = false

    init(descriptor: CInt, onEvents: @escaping (SocketEvents) -> Void) {
        self.descriptor = descriptor
        self.onEvents = onEvents
    }
}

/// The sockets that are being waited for.
struct ArmedSources {
    private(set) var sources: [SocketSource] = []

    var isEmpty: Bool { sources.isEmpty }

    mutating func arm(_ source: SocketSource, for events: SocketEvents, until deadline: ContinuousClock.Instant?) {
        source.events = events
        source.deadline = deadline
        guard !source.isArmed else { return }
        source.isArmed = true
        sources.append(source)
    }

    mutating func disarm(_ source: SocketSource) {
        guard source.isArmed else { return }
        source.isArmed = false
        source.events = []
        source.deadline = nil
        sources.removeAll { $0 === source }
    }

    var earliestDeadline: ContinuousClock.Instant? {
        var earliest: ContinuousClock.Instant?
        for source in sources {
            guard let deadline = source.deadline else { continue }
            earliest = earliest.map { min($0, deadline) } ?? deadline
        }
        return earliest
    }
}

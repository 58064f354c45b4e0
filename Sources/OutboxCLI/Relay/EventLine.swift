import Outbox
import OutboxRuntime

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension JSONWriter {
    /// Writes what a relay did, and when, as a line.
    mutating func line(_ event: RelayEvent, at time: Date) {
        self.beginObject()
        self.name("time")
        self.string(RFC3339.text(time))
        self.name("event")
        self.string(EventKind(event).rawValue)
        switch event {
        case .standby, .started, .stopped: break
        case .disconnected(let reason, let delay):
            self.name("reason")
            self.string(reason)
            self.seconds(delay)
        case .opened(let destination, let reason, let delay):
            self.name("destination")
            self.string(destination.name)
            self.name("reason")
            self.string(reason)
            self.seconds(delay)
        case .stillDown(let destination, let reason, let delay):
            self.name("destination")
            self.string(destination.name)
            self.name("reason")
            self.string(reason)
            self.seconds(delay)
        case .closed(let destination):
            self.name("destination")
            self.string(destination.name)
        case .parked(let id, let destination):
            self.message(id, destination)
        case .delivered(let id, let destination, let attempt):
            self.message(id, destination)
            self.name("attempt")
            self.integer(attempt)
        case .retried(let id, let destination, let attempts, let delay, let error):
            self.message(id, destination)
            self.name("attempts")
            self.integer(attempts)
            self.seconds(delay)
            self.name("error")
            self.string(error)
        case .deadLettered(let id, let destination, let attempts, let reason, let error):
            self.message(id, destination)
            self.name("attempts")
            self.integer(attempts)
            self.name("reason")
            self.string(reason.rawValue)
            self.name("error")
            self.string(error)
        }
        self.endObject()
        self.newline()
    }

    private mutating func message(_ id: Int64, _ destination: Destination) {
        self.name("id")
        self.integer(id)
        self.name("destination")
        self.string(destination.name)
    }

    private mutating func seconds(_ delay: Duration?) {
        guard let delay else { return }
        self.name("retry_after")
        self.double((delay.inSeconds * 1000).rounded() / 1000)
    }
}

import Outbox
import OutboxRuntime

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What `/readyz` says. A destination that is down leaves a relay ready: a new process, or another one, would not reach it either.
struct Readiness: Sendable {
    private let health: RelayHealth

    init(_ health: RelayHealth) {
        self.health = health
    }

    /// Whether the relay delivers or stands by.
    var isReady: Bool { self.health.state.isReady && !self.health.isEnding }

    /// A line for the relay and one for each destination that is down.
    var text: String {
        let outages = self.outages.map { name, outage in
            "down: \(name.plain(60)) since \(RFC3339.text(outage.since)): \(outage.reason.plain(200))"
        }
        let reason = self.reason.map { ": \($0.plain(300))" } ?? ""
        return (["\(self.phase)\(reason)"] + outages).joined(separator: "\n")
    }

    /// The same as an object.
    var json: [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        json.name("ready")
        json.bool(self.isReady)
        json.name("phase")
        json.string(self.phase)
        json.name("since")
        json.string(RFC3339.text(self.health.state.since))
        json.name("reason")
        json.string(self.reason)
        json.name("streams")
        json.integer(self.health.streamCount)
        json.name("down")
        json.beginArray()
        for (name, outage) in self.outages {
            json.beginObject()
            json.name("destination")
            json.string(name)
            json.name("reason")
            json.string(outage.reason)
            json.name("since")
            json.string(RFC3339.text(outage.since))
            json.endObject()
        }
        json.endArray()
        json.endObject()
        json.newline()
        return json.take()
    }

    private var phase: String { self.health.isEnding ? "ending" : self.health.state.phase.word }

    private var reason: String? {
        if case .disconnected(let reason, _) = self.health.state.phase { return reason }
        return nil
    }

    private var outages: [(name: String, outage: RelayState.Outage)] {
        self.health.state.down.map { ($0.key.name, $0.value) }.sorted { $0.0 < $1.0 }
    }
}

extension RelayState.Phase {
    /// What a service manager and a probe are told.
    var word: String {
        switch self {
        case .starting: "connecting"
        case .delivering: "delivering"
        case .standby: "standing by"
        case .disconnected: "disconnected"
        case .ended: "ended"
        }
    }
}

import OutboxPostgres
import OutboxRuntime

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The sessions of relays, and what each has.
struct RelaysView {
    let look: DatabaseLook

    var values: [String: Any] {
        guard let status = self.look.status else {
            return ["failure": self.look.failure ?? "it has not been looked at yet"]
        }
        var values: [String: Any] = ["hasRelays": !status.relays.isEmpty]
        if status.workingRelays.isEmpty { values["none"] = "No relay is working: nothing is delivered." }
        values["relays"] = status.relays.map { relay -> [String: Any] in
            let names = status.streams.filter { $0.owner == relay.processID }.map(\.title)
            let shown = names.prefix(20).map { $0.plain(60) }.joined(separator: ", ")
            return [
                "process": String(relay.processID), "name": relay.applicationName?.plain(60) ?? "–",
                "host": relay.host.map { $0 == "local" ? "the server's" : $0.plain(60) } ?? "–",
                "does": StatusOutput.activity(of: relay, in: status),
                "streams": relay.streamCount.grouped, "inFlight": relay.inFlight?.grouped ?? "–",
                "connected": relay.connectedAt.map {
                    Duration.seconds(max(status.takenAt.timeIntervalSince($0), 0)).short
                } ?? "–",
                "destinations": names.count > 20 ? "\(shown) and \((names.count - 20).grouped) more" : shown,
            ]
        }
        return values
    }
}

/// What a doctor has found.
struct DoctorView {
    let findings: [DoctorFinding]
    let schema: OutboxSchema

    var values: [String: Any] {
        [
            "summary": DoctorOutput.summary(self.findings),
            "findings": self.findings.sorted { $1.severity < $0.severity }.map { finding -> [String: Any] in
                var values: [String: Any] = [
                    "check": finding.check, "seen": finding.seen.plain(1000), "mark": Self.mark(finding.severity),
                    "kind": Self.kind(finding.severity),
                ]
                values["advice"] = CommandAdvice.advice(for: finding, of: self.schema)?.plain(1000)
                return values
            },
        ]
    }

    private static func mark(_ severity: DoctorFinding.Severity) -> String {
        switch severity {
        case .ok: "✓ ok"
        case .warning: "! warning"
        case .error: "✗ error"
        }
    }

    private static func kind(_ severity: DoctorFinding.Severity) -> String {
        switch severity {
        case .ok: "good"
        case .warning: "warn"
        case .error: "bad"
        }
    }
}

/// The schema's versions, and the log on disk.
struct SchemaView {
    let migrations: [MigrationStatus]
    let segments: [OutboxStatus.Segment]
    let policy: SegmentPolicy?

    var values: [String: Any] {
        var values: [String: Any] = [
            "hasMigrations": !self.migrations.isEmpty, "migrations": self.migrations.map(self.row),
            "hasSegments": !self.segments.isEmpty,
            "size": StatusOutput.size(self.segments.reduce(0) { $0 + $1.bytes }),
            "segments": self.segments.map { segment -> [String: Any] in
                [
                    "number": String(segment.number), "size": StatusOutput.size(segment.bytes),
                    "state": segment.isCurrent ? "current" : "–",
                ]
            },
        ]
        if let policy {
            values["retention"] = """
                The relay of this process keeps what was delivered for \(policy.retention.short) at least, and begins a segment after \
                \(policy.maximumAge.short) or \(StatusOutput.size(policy.maximumBytes)).
                """
        }
        return values
    }

    private func row(_ migration: MigrationStatus) -> [String: Any] {
        let (state, kind, since): (String, String, String)
        switch migration.state {
        case .pending: (state, kind, since) = ("pending", "warn", "–")
        case .applied(let at): (state, kind, since) = ("applied", "good", RFC3339.text(at))
        case .drifted(let at): (state, kind, since) = ("applied with another text", "bad", RFC3339.text(at))
        case .unknown(let at):
            (state, kind, since) = (
                migration.isReadable ? "newer than this program, which works with it" : "newer than this program",
                migration.isReadable ? "warn" : "bad", RFC3339.text(at)
            )
        }
        return [
            "version": String(migration.version), "name": migration.name, "state": state, "kind": kind, "since": since,
        ]
    }
}

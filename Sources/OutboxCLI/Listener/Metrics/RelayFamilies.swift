import ArgumentParser
import Outbox
import OutboxPrometheus

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// How the process and its relay are, as metrics. Nothing is asked for them.
enum RelayFamilies {
    static func all(_ health: RelayHealth) -> [MetricFamily] {
        let state = health.state
        var build = MetricFamily("outbox_build_info", .info, "The program's version.")
        build.add(LabelSet([("version", OutboxCommand.configuration.version)]), 1)
        return [
            build,
            MetricFamily(
                "process_start_time_seconds", .gauge, "When the process began, in seconds since 1970.", Self.start),
            MetricFamily(
                "outbox_relay_ready", .gauge, "Whether the relay delivers or stands by, as /readyz says it.",
                state.isReady && !health.isEnding ? 1 : 0),
            MetricFamily(
                "outbox_relay_connected", .gauge, "Whether the relay has a session at the server.",
                state.isReady ? 1 : 0),
            MetricFamily(
                "outbox_relay_standby", .gauge,
                "Whether other relays have all streams, and this one waits for a share.",
                state.phase == .standby ? 1 : 0),
            MetricFamily(
                "outbox_relay_streams", .gauge, "Streams that this relay delivers.", Double(health.streamCount)),
            MetricFamily(
                "outbox_relay_phase_start_time_seconds", .gauge,
                "Since when the relay is connecting, delivering, standing by or disconnected, in seconds since 1970.",
                state.since.timeIntervalSince1970),
        ]
    }

    static let names: Set<String> = Set(
        all(RelayHealth(state: RelayState(phase: .starting, since: Date()), isEnding: false, streamCount: 0)).map(
            \.name))

    /// When the process began, or nearly.
    static let start = Date().timeIntervalSince1970
}

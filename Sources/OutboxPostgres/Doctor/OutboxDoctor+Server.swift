import Outbox
import OutboxRuntime
import OutboxSQL

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension OutboxDoctor {
    /// Whether it is a primary, and of a version without known faults.
    func server(_ connection: LibPQConnection) async throws -> [DoctorFinding] {
        let row = try await connection.query(LibPQStatement(self.statements.server))[0]
        let version = try row.decode("version", as: Int.self)
        let text = try row.decode("version_text", as: String.self)
        var findings: [DoctorFinding] = []
        if try row.decode("is_standby", as: Bool.self) {
            findings.append(
                DoctorFinding(
                    "server", .error, "it is a standby, on which nothing can be enqueued or delivered",
                    advice: "Connect to the primary: target_session_attrs=read-write finds it among several hosts."))
        }
        if version < 140_000 {
            findings.append(
                DoctorFinding(
                    "server", .error, "PostgreSQL \(text), which is too old",
                    advice: "Move to one of the versions 14 to 18."))
        }
        for (fault, mended) in NotifyFault.faults(of: version) {
            findings.append(
                DoctorFinding(
                    "server", .warning, "PostgreSQL \(text): \(fault.description)",
                    advice: "Update to \(mended) or later, which needs no more than a restart."))
        }
        return findings.isEmpty
            ? [DoctorFinding("server", .ok, "PostgreSQL \(text), a primary, no known fault of NOTIFY")] : findings
    }

    /// Whether the session is this client's alone, and not a pooler's.
    func pooler(_ postgres: LibPQConfiguration, _ connection: LibPQConnection) async throws -> [DoctorFinding] {
        do {
            let isPooled = try await PoolerCheck(
                connection: connection, configuration: postgres, logger: self.logger)()
            let seen = isPooled ? "a pooler in session mode, which does" : "none: this session is the server's own"
            return [DoctorFinding("pooler", .ok, seen)]
        } catch let error as RelayError {
            return [
                DoctorFinding(
                    "pooler", .error, "a pooler in transaction mode: locks and LISTEN are given away with the session",
                    advice: "\(error.message) Producers may go on using it.")
            ]
        }
    }

    /// How far the server's clock is from this one.
    func clock(_ connection: LibPQConnection) async throws -> [DoctorFinding] {
        var readings: [ClockReading] = []
        for _ in 0..<5 {
            let asked = Date().timeIntervalSince1970
            let answer = try await connection.query(LibPQStatement(self.statements.clock))[0].decode(0, as: Date.self)
            readings.append(
                ClockReading(
                    asked: asked, answer: answer.timeIntervalSince1970, answered: Date().timeIntervalSince1970))
        }
        // The fastest round trip is the most exact.
        guard let reading = readings.min(by: { $0.roundTrip < $1.roundTrip }) else { return [] }
        return [self.judge(reading)]
    }

    func judge(_ reading: ClockReading) -> DoctorFinding {
        let skew = reading.certainSkew
        let within = Self.milliseconds(reading.roundTrip)
        guard abs(skew) > self.limits.clockSkew.seconds else {
            return DoctorFinding(
                "clock", .ok, skew == 0 ? "the same as here, within \(within)" : "\(Self.milliseconds(abs(skew))) apart"
            )
        }
        return DoctorFinding(
            "clock", .warning,
            "the server's is \(Self.milliseconds(abs(skew))) \(skew > 0 ? "ahead of" : "behind") this one",
            advice: """
                Synchronise both, by NTP or the like. Retries and scheduled messages are due by the server's \
                clock; an application that schedules them uses its own.
                """)
    }

    private static func milliseconds(_ seconds: Double) -> String {
        seconds < 10 ? "\((seconds * 1000).rounded(.up).formatted) ms" : "\(seconds.rounded().formatted) s"
    }

    /// Whether the queue of notifications fills up.
    func queue(_ connection: LibPQConnection) async throws -> [DoctorFinding] {
        let row = try await connection.query(LibPQStatement(self.statements.server))[0]
        return [self.judge(queueUsage: try row.decode("queue_usage"))]
    }

    func judge(queueUsage usage: Double) -> DoctorFinding {
        let seen = "the queue of notifications is full to \((usage * 100).rounded(.up).formatted) %"
        if usage < self.limits.queueUsage { return DoctorFinding("queue", .ok, seen) }
        return DoctorFinding(
            "queue", usage < 0.5 ? .warning : .error, seen,
            advice: """
                When it is full, transactions that ring fail at their commit. A session that listens and has not ended its \
                transaction keeps it from being emptied: find it with SELECT pid, xact_start, query FROM pg_stat_activity \
                WHERE state LIKE 'idle in transaction%' ORDER BY xact_start, and end it with pg_terminate_backend.
                """)
    }
}

extension Double {
    /// A whole number as text, without a fraction.
    fileprivate var formatted: String { String(Int(self)) }
}

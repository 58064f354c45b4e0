import Outbox
import OutboxRuntime
import OutboxSQL

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension OutboxDoctor {
    /// Whether a notification is received: the doctor notifies the channel that relays listen on, with a payload that they ignore.
    func doorbell(_ postgres: LibPQConfiguration, _ connection: LibPQConnection) async throws -> [DoctorFinding] {
        let log = try await connection.query(LibPQStatement(self.statements.log))[0].decode(0, as: Int64.self)
        let channel = "outbox_\(log)"
        let listener = try await LibPQConnection.connect(postgres, logger: self.logger)
        let heard: Result<Duration?, any Error>
        do {
            heard = .success(try await self.ring(channel, from: connection, to: listener))
        } catch {
            heard = .failure(error)
        }
        await listener.close()
        guard let after = try heard.get() else {
            return [
                DoctorFinding(
                    "doorbell", .error, "rang on \(channel), and a second session, which listens, heard nothing",
                    advice: """
                        Connect without a pooler, or through one in session mode. Until then a relay finds messages by its \
                        fallback poll only, every 30 s, unless it is set to poll more often.
                        """, remedy: .pollMoreOften)
            ]
        }
        return [DoctorFinding("doorbell", .ok, "rang on \(channel), and was heard after \(after.milliseconds) ms")]
    }

    /// - Returns: How long it took; nil: nothing was received in time, or a second session could not be opened.
    private func ring(
        _ channel: String, from connection: LibPQConnection, to listener: LibPQConnection
    ) async throws -> Duration? {
        try await withThrowingTaskGroup(of: Duration?.self) { group in
            group.addTask { try await self.hear(channel, from: connection, to: listener) }
            group.addTask {
                try await Task.sleep(for: self.limits.ring)
                return nil
            }
            let heard = try await group.next() ?? nil
            group.cancelAll()
            return heard
        }
    }

    private func hear(_ channel: String, from connection: LibPQConnection, to listener: LibPQConnection) async throws
        -> Duration
    {
        let clock = ContinuousClock()
        let payload = PostgresSession.Word.probe + UUID().uuidString
        try await listener.query("LISTEN \(unescaped: channel)")
        let start = clock.now
        try await connection.query(LibPQStatement(self.statements.probe, [.text(channel), .text(payload)]))
        while true {
            guard case .notified(let notifications) = try await listener.waitForActivity(until: nil) else { continue }
            if notifications.contains(where: { $0.channel == channel && $0.payload == payload }) {
                return clock.now - start
            }
        }
    }

    /// Whether dead rows are cleaned up.
    func autovacuum(_ connection: LibPQConnection) async throws -> [DoctorFinding] {
        let findings = try await connection.query(LibPQStatement(self.statements.vacuumOff)).map { row in
            let setting = try row.decode("setting", as: String.self)
            guard let relation = try row.decode("relation", as: String?.self) else {
                return DoctorFinding(
                    "autovacuum", .warning, "\(setting) on the whole server",
                    advice: "Switch it on in postgresql.conf: the tables of the outbox grow, and so do all others.")
            }
            return DoctorFinding(
                "autovacuum", .warning, "\(setting) for \(relation)",
                advice: "ALTER TABLE \(relation) RESET (autovacuum_enabled)")
        }
        return findings.isEmpty ? [DoctorFinding("autovacuum", .ok, "on, for all tables of the outbox")] : findings
    }

    /// Whether a relay or a janitor maintains the log's segments, and can.
    func segments(_ connection: LibPQConnection) async throws -> [DoctorFinding] {
        let rows = try await connection.query(LibPQStatement(self.schema.statements.listSegments.text))
        var segments: [(number: Int16, isEmpty: Bool, age: Duration)] = []
        var current: Int?
        for row in rows {
            if try row.decode("is_current", as: Bool.self) { current = segments.count }
            segments.append(
                (
                    try row.decode("number", as: Int16.self), try row.decode("is_empty", as: Bool.self),
                    .microseconds(try row.decode("age_microseconds", as: Int64.self))
                ))
        }
        let used = segments.filter { !$0.isEmpty }.count
        guard let current else {
            return [
                DoctorFinding(
                    "segments", .warning, "no relay or janitor has noted which segment is current",
                    advice: Self.janitor, remedy: .runJanitor)
            ]
        }
        let now = segments[current]
        let others = segments.filter { $0.number != now.number }
        let hours = Int(now.age.seconds / 3600)
        if now.isEmpty || now.age <= self.limits.retention {
            return [
                DoctorFinding("segments", .ok, "\(used) of \(segments.count) hold messages, \(now.number) is current")
            ]
        }
        let seen = "segment \(now.number) has been current for \(hours) h"
        if let empty = others.first(where: \.isEmpty) {
            return [
                DoctorFinding(
                    "segments", .warning, "\(seen), though segment \(empty.number) is empty",
                    advice: Self.janitor, remedy: .runJanitor)
            ]
        }
        for other in others {
            let isUnpassed = try await connection.query(
                LibPQStatement(self.statements.unpassed, [.int2(other.number)]))[0].decode(0, as: Bool.self)
            if isUnpassed { continue }
            return [
                DoctorFinding(
                    "segments", .warning,
                    "\(seen), and segment \(other.number), which all streams have passed, is not emptied",
                    advice: Self.janitor, remedy: .runJanitor)
            ]
        }
        return [
            DoctorFinding(
                "segments", .warning,
                "\(seen): every other one holds messages that a stream has not passed, so the log grows",
                advice: """
                    Find whose they are: destinations without a relay, or streams that are paused or behind, of any subscription.
                    """, remedy: .findUnpassed)
        ]
    }

    private static let janitor = """
        Run a relay that has the grants of this version, or a janitor every hour. If one runs, see its log.
        """

    /// Whether messages are delivered in time, and which are not any more.
    func delivery(_ connection: LibPQConnection) async throws -> [DoctorFinding] {
        let status = try await OutboxInspector(schema: self.schema).status(
            subscription: self.subscription, countLimit: 10_000, on: connection)
        var findings: [DoctorFinding] = []
        for waiting in status.unregistered where waiting.lagTime > self.limits.age {
            findings.append(
                DoctorFinding(
                    "delivery", .error,
                    "\(waiting.messages.messages) for “\(waiting.destination)” \(waiting.messages.isOne ? "waits" : "wait"), the oldest for \(Int(waiting.lagTime.seconds)) s; it was never served",
                    advice: "Give a relay a route for it."))
        }
        for stream in status.streams {
            if let waits = stream.lagTime, waits > self.limits.age {
                findings.append(
                    DoctorFinding(
                        "delivery", .error,
                        "\(stream.lag.messages) for “\(stream.title)” \(stream.lag.isOne ? "waits" : "wait"), the oldest for \(Int(waits.seconds)) s; it is \(stream.state.rawValue)",
                        advice: Self.advice(for: stream.state), remedy: stream.state == .paused ? .resumeStream : nil))
            }
            if let waits = stream.deferredTime, waits > self.limits.age {
                findings.append(
                    DoctorFinding(
                        "delivery", .warning,
                        "\(stream.deferred.messages) for “\(stream.title)” \(stream.deferred.isOne ? "is" : "are") deferred, and the oldest should have been delivered \(Int(waits.seconds)) s ago",
                        advice: "See with which errors.", remedy: .listDeferred))
            }
            if let diedAt = stream.diedAt, status.takenAt.timeIntervalSince(diedAt) < self.limits.deathAge.seconds {
                let seconds = Int(max(status.takenAt.timeIntervalSince(diedAt), 0))
                findings.append(
                    DoctorFinding(
                        "delivery", .warning,
                        "\(stream.dead.isOne ? "1 dead letter" : "\(stream.dead) dead letters") of “\(stream.title)”, the last one \(seconds) s ago",
                        advice: "See why, then replay or discard them.", remedy: .listDeadLetters))
            }
        }
        return findings.isEmpty
            ? [
                DoctorFinding(
                    "delivery", .ok,
                    "no message waits for more than \(Int(self.limits.age.seconds)) s, none has died within \(Int(self.limits.deathAge.seconds / 3600)) h"
                )
            ] : findings
    }

    /// What to do about messages that wait for long.
    private static func advice(for state: OutboxStatus.State) -> String {
        switch state {
        case .delivering: "See what its relay says in its log, and whether it is slow or does not deliver at all."
        case .down:
            "It is delivered when the destination is up again: the relay's log has the reason."
        case .paused: "Resume it when it may go on."
        case .notServed, .neverServed: "Give a relay that runs a route for it."
        }
    }

    /// Whether a relay delivers, and delivers to every destination.
    func relay(_ connection: LibPQConnection) async throws -> [DoctorFinding] {
        let status = try await OutboxInspector(schema: self.schema).status(
            subscription: self.subscription, countLimit: 10_000, on: connection)
        var findings: [DoctorFinding] = []
        func warn(_ seen: String, _ advice: String, _ remedy: DoctorFinding.Remedy? = nil) {
            findings.append(DoctorFinding("relay", .warning, seen, advice: advice, remedy: remedy))
        }
        let owners = status.workingRelays
        if owners.isEmpty {
            warn("none is working for the subscription “\(self.subscription)”", "Start one.", .runRelay)
        }
        for waiting in status.unregistered {
            let isLate = waiting.lagTime > self.limits.silence
            let seconds = Int(waiting.lagTime.seconds)
            findings.append(
                DoctorFinding(
                    "relay", isLate ? .error : .warning,
                    """
                    \(waiting.messages.messages) for “\(waiting.destination)” \(waiting.messages.isOne ? "waits" : "wait"), the oldest for \(seconds) s, and no relay has ever had \
                    a route for it
                    """,
                    advice:
                        "Give a relay a route for it. If the name is a mistake, discard its messages.",
                    remedy: .addRoute))
        }
        if !owners.isEmpty {
            for stream in status.streams where stream.state == .notServed {
                let waits = stream.oldest.map { ", and the oldest message waits for \(Int($0.seconds)) s" } ?? ""
                findings.append(
                    DoctorFinding(
                        "relay", stream.oldest.map { $0 > self.limits.silence } == true ? .error : .warning,
                        "“\(stream.title)” is not served: no relay that runs has a route for it\(waits)",
                        advice: "Give a relay a route for it."))
            }
        }
        for stream in status.streams where stream.isDown == true {
            let why = stream.outage.map { " for \(Int($0.time.seconds)) s: \($0.reason)" } ?? ""
            warn(
                "the destination “\(stream.title)” is down\(why)",
                "Its relay probes it until it is up: an address or a password that is wrong stays wrong.")
        }
        for stream in status.streams where stream.pausedAt != nil {
            warn("the stream of “\(stream.destination)” is paused", "Resume it when it may go on.", .resumeStream)
        }
        for relay in owners {
            for stream in status.streams
            where stream.owner == relay.processID && stream.pausedAt == nil && stream.isDown != true {
                guard let waits = stream.lagTime, waits > self.limits.silence else { continue }
                let silence = stream.committedAt.map { status.takenAt.timeIntervalSince($0) }
                if let silence, silence <= self.limits.silence.seconds { continue }
                findings.append(
                    DoctorFinding(
                        "relay", .error,
                        """
                        messages for “\(stream.destination)” wait for \(Int(waits.seconds)) s, and the relay that has them has committed \
                        none of them \(silence.map { "for \(Int($0)) s" } ?? "ever")
                        """,
                        advice: """
                            See its log: a handler may take that long, or a commit be refused. If its process is frozen or its network \
                            gone, end its session, and another relay takes over: SELECT pg_terminate_backend(\(relay.processID))
                            """))
            }
            if let silence = relay.silence, silence > self.limits.silence {
                warn(
                    "the session of a relay that delivers (server process \(relay.processID)) has been silent for \(Int(silence.seconds)) s",
                    """
                    With the default fallback poll it asks something every 30 s: its process may be frozen or its network gone. Unless \
                    it is set not to poll: SELECT pg_terminate_backend(\(relay.processID)), and another one takes over.
                    """, .endSilentRelay(process: relay.processID))
            }
        }
        let standbys = status.relays.count - owners.count
        let seen =
            (owners.count == 1 ? "one is working" : "\(owners.count) share the streams")
            + (standbys == 0 ? ", none stands by" : ", \(standbys) stand by")
        return findings.isEmpty ? [DoctorFinding("relay", .ok, seen)] : findings
    }
}

extension Duration {
    /// In milliseconds, rounded up.
    fileprivate var milliseconds: Int { Int((self.seconds * 1000).rounded(.up)) }
}

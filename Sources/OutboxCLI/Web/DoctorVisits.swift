import OutboxPostgres

/// Lets a doctor look, once at a time, however many ask, and not more often than every ten seconds.
actor DoctorVisits {
    private static let pause = Duration.seconds(10)
    /// How long one may look: less than a connection of the listener waits for an answer.
    private static let limit = Duration.seconds(20)

    private struct Visit {
        let target: LookTarget
        let task: Task<[DoctorFinding], any Error>
        /// nil: it goes on.
        var end: ContinuousClock.Instant?
    }

    private var last: Visit?

    func findings(_ target: LookTarget) async throws -> [DoctorFinding] {
        if let last, last.target == target, last.end.map({ .now - $0 < Self.pause }) ?? true {
            return try await last.task.value
        }
        let task = Task {
            var server = target.server
            server.parameters["fallback_application_name"] = "outbox web"
            server.parameters["connect_timeout"] = "4"
            let doctor = OutboxDoctor(schema: target.schema, subscription: target.subscription)
            return try await LookAttempt.within(Self.limit) { [server] in try await doctor.examine(server) }
        }
        self.last = Visit(target: target, task: task)
        let result = await task.result
        if self.last?.task == task { self.last?.end = .now }
        return try result.get()
    }
}

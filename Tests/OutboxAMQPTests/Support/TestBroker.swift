import OutboxTestServers

/// The broker that most tests of this process share, started when the first of them asks for it. Every test has exchanges and
/// queues of its own.
///
/// Nothing stops it: it stops by itself when this process ends, whether that is an exit or a crash. Tests that stop, crash or
/// alarm a broker have one of their own.
enum TestBroker {
    /// The one stored task: a global starts once however many tests ask at the same moment, and no test's cancellation
    /// may take the broker from the others.
    private static let start = Task { try await EphemeralRabbitMQ.start(.init(encryption: .selfSigned)) }

    static var shared: EphemeralRabbitMQ {
        get async throws { try await start.value }
    }
}

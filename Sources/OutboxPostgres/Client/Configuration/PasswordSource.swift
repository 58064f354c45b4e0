internal import OutboxRuntime

/// Where a connection's password comes from, asked each time that one is made: for passwords that change, and tokens that expire.
///
/// ```swift
/// var postgres = try LibPQConfiguration("host=db.example user=relay sslmode=verify-full")
/// postgres.password = PasswordSource { try await tokens.token(for: "db.example") }
/// ```
///
/// It goes before the password of the connection string, of `PGPASSWORD` and of the password file. Two sources are equal if they are copies of one.
public struct PasswordSource: Sendable, Hashable {
    private final class Body: Sendable {
        let password: @Sendable () async throws -> String

        init(_ password: @escaping @Sendable () async throws -> String) {
            self.password = password
        }
    }

    private let body: Body

    /// How long a source may take.
    private static let limit = Duration.seconds(30)

    /// Creates a source.
    ///
    /// - Parameter password: Returns the password, within 30 seconds; it is cancelled then. What it throws becomes
    ///   ``LibPQError/Code/connect`` with the text of that error, so that a relay tries again.
    public init(_ password: @escaping @Sendable () async throws -> String) {
        self.body = Body(password)
    }

    /// Asks for the password.
    func password() async throws(LibPQError) -> String {
        // A closure that does not look at cancellation holds up no one.
        let answer = Answer<String>()
        let body = self.body
        let question = Task {
            do {
                answer.give(.success(try await body.password()))
            } catch {
                answer.give(.failure(error))
            }
        }
        let clock = Task {
            try await Task.sleep(for: Self.limit)
            answer.give(
                .failure(LibPQError(.connect, "the source of the password has not answered for \(Self.limit.short)")))
        }
        defer {
            question.cancel()
            clock.cancel()
        }
        do {
            return try await answer.wait()
        } catch let error as LibPQError {
            throw error
        } catch {
            if Task.isCancelled { throw LibPQError(.cancelled, "the task was cancelled while connecting") }
            throw LibPQError(.connect, "the password cannot be had: \(error)")
        }
    }

    public static func == (first: PasswordSource, second: PasswordSource) -> Bool { first.body === second.body }

    public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self.body)) }
}

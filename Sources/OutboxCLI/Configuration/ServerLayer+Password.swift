import OutboxPostgres
import OutboxRuntime
import Subprocess

#if canImport(System)
import System
#else
import SystemPackage
#endif

extension ServerLayer {
    /// Where the password comes from; nil: from libpq's own places.
    ///
    /// - Throws: A ``CommandFailure`` where there are two.
    var password: PasswordSource? {
        get throws {
            switch (self.passwordFile, self.passwordCommand) {
            case (nil, nil): return nil
            case (let file?, nil):
                return PasswordSource { try await Self.content(of: file) }
            case (nil, let command?): return PasswordSource { try await Self.output(of: command) }
            case (_?, _?): throw CommandFailure(.usage, "password_file and password_command exclude each other")
            }
        }
    }

    /// The text of a file, read by a thread of its own: a disk that does not answer holds up no task.
    private static func content(of file: String) async throws -> String {
        let answer = Answer<String>()
        let hasStarted = DedicatedThread.start {
            do throws(SecretFile.Failure) {
                answer.give(.success(try SecretFile.text(file)))
            } catch {
                answer.give(.failure(PasswordFailure(description: error.reason)))
            }
        }
        if !hasStarted { throw PasswordFailure(description: "the process has no thread left") }
        return try await answer.wait()
    }

    /// What a command of the shell writes, without the end of the last line. Its stderr is this program's.
    private static func output(of command: String) async throws -> String {
        var options = PlatformOptions()
        options.processGroupID = 0
        options.teardownSequence = [.send(signal: .kill, toProcessGroup: true, allowedDurationToNextStep: .zero)]
        let result = try await run(
            Configuration(
                executable: .path("/bin/sh"), arguments: ["-c", command], environment: .inherit,
                platformOptions: options),
            input: .none, output: .bytes(limit: 64 << 10), error: .currentStandardError)
        guard case .exited(0) = result.terminationStatus else {
            throw PasswordFailure(description: "password_command: \(Self.words(for: result.terminationStatus))")
        }
        do throws(SecretFile.Failure) {
            return try SecretFile.text(of: result.standardOutput, from: "what password_command has written")
        } catch {
            throw PasswordFailure(description: error.reason)
        }
    }

    private static func words(for status: TerminationStatus) -> String {
        switch status {
        case .exited(let code): "it ended with \(code)"
        case .signaled(let signal): "signal \(signal) ended it"
        }
    }
}

/// Why there is no password.
private struct PasswordFailure: Error, CustomStringConvertible {
    let description: String
}

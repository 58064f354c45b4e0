import OutboxPostgres
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
                return PasswordSource {
                    do throws(SecretFile.Failure) {
                        return try SecretFile.text(file)
                    } catch {
                        throw PasswordFailure(description: error.reason)
                    }
                }
            case (nil, let command?): return PasswordSource { try await Self.output(of: command) }
            case (_?, _?): throw CommandFailure(.usage, "password_file and password_command exclude each other")
            }
        }
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
        guard var text = String(validating: result.standardOutput, as: UTF8.self) else {
            throw PasswordFailure(description: "password_command has written something else than UTF-8")
        }
        if text.last?.isNewline == true { text.removeLast() }
        if text.isEmpty { throw PasswordFailure(description: "password_command has written nothing") }
        return text
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

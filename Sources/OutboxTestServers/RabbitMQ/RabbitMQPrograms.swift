import Dispatch
import Foundation

/// Where the broker's programs are on this machine.
package struct RabbitMQPrograms: Sendable {
    /// The program `rabbitmq-server`, itself and not one that runs it as another user.
    package let server: String
    /// The program `rabbitmqctl`, likewise.
    package let control: String

    /// - Throws: ``EphemeralServerError`` when they are not installed.
    package init(environment: [String: String]) throws(EphemeralServerError) {
        // Debian's package has scripts in PATH that insist on the user rabbitmq.
        let path = (environment["PATH"] ?? "").split(separator: ":").map(String.init)
        let folders =
            ["/usr/lib/rabbitmq/bin", "/opt/homebrew/opt/rabbitmq/sbin", "/usr/local/opt/rabbitmq/sbin"] + path
        let found = folders.first { folder in
            ["rabbitmq-server", "rabbitmqctl"].allSatisfy {
                FileManager.default.isExecutableFile(atPath: "\(folder)/\($0)")
            }
        }
        guard let found else {
            throw EphemeralServerError(
                .notInstalled,
                "RabbitMQ is not installed (Debian and Ubuntu: apt-get install rabbitmq-server; macOS: brew install rabbitmq)."
            )
        }
        self.server = "\(found)/rabbitmq-server"
        self.control = "\(found)/rabbitmqctl"
    }

    /// Runs a program to its end without blocking the caller's thread.
    func run(
        _ program: String, _ arguments: [String], environment: [String: String]
    ) async throws(EphemeralServerError) -> String {
        let result: Result<String, EphemeralServerError> = await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                let process = Process()
                process.executableURL = URL(fileURLWithPath: program)
                process.arguments = arguments
                process.environment = environment
                process.standardInput = FileHandle.nullDevice
                let output = Pipe()
                process.standardOutput = output
                process.standardError = output
                do {
                    try process.run()
                } catch {
                    return continuation.resume(
                        returning: .failure(
                            EphemeralServerError(.startFailed, "\(program) did not start.", underlying: error)))
                }
                let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
                process.waitUntilExit()
                if process.terminationStatus == 0 { return continuation.resume(returning: .success(text)) }
                let name = arguments.first { !$0.hasPrefix("-") } ?? ""
                continuation.resume(
                    returning: .failure(
                        EphemeralServerError(.commandFailed, "rabbitmqctl \(name) failed.", detail: text)))
            }
        }
        return try result.get()
    }
}

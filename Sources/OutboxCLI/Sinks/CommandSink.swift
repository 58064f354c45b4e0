import Outbox
import Subprocess
import Synchronization

#if canImport(System)
import System
#else
import SystemPackage
#endif

/// Runs a shell command once per message: the payload on stdin, the rest in the environment.
struct CommandSink: Sendable {
    let command: String

    /// Delivers a message.
    ///
    /// - Throws: A `DeliveryFailure` that says what the command's exit status means: 65 reject, 69 unavailable, any
    ///   other retry. Cancelled, the command and what it has started are killed.
    func deliver(_ message: Message) async throws {
        var options = PlatformOptions()
        // A group of its own, so that a pipeline ends as a whole, and a Ctrl-C in the terminal does not reach it: what
        // was begun is finished.
        options.processGroupID = 0
        options.teardownSequence = [.send(signal: .kill, toProcessGroup: true, allowedDurationToNextStep: .zero)]
        let configuration = Configuration(
            executable: .path("/bin/sh"), arguments: ["-c", self.command],
            environment: .inherit.updating(Self.variables(message)), platformOptions: options)
        let status: TerminationStatus
        let lastLine: String
        do {
            let result = try await run(
                configuration, input: .inputWriter, output: .currentStandardOutput, error: .sequence
            ) { execution in
                try await Self.converse(with: execution, payload: message.payload)
            }
            status = result.terminationStatus
            lastLine = result.closureResult
        } catch let error as SubprocessError where !Task.isCancelled {
            throw DeliveryFailure.unavailable("the command could not be run: \(error)")
        }
        try Task.checkCancellation()
        try Self.judge(status, lastLine)
    }

    /// Feeds the payload while the command's stderr is read, so that neither waits for the other.
    ///
    /// - Returns: The last line of stderr.
    private static func converse(
        with execution: Execution<CustomWriteInput, FileDescriptorOutput, SequenceOutput>, payload: [UInt8]
    ) async throws -> String {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                // A command need not read its stdin: what it makes of the message is in its exit status.
                _ = try? await execution.standardInputWriter.write(payload)
                try? await execution.standardInputWriter.finish()
            }
            var tail: [UInt8] = []
            for try await chunk in execution.standardError {
                unsafe chunk.withUnsafeBytes { bytes in unsafe tail.append(contentsOf: bytes) }
                if tail.count > 8192 { tail.removeFirst(tail.count - 4096) }
            }
            try await group.waitForAll()
            let lines = String(decoding: tail, as: UTF8.self).split(whereSeparator: \.isNewline)
            return lines.last { !$0.allSatisfy(\.isWhitespace) }.map(String.init) ?? ""
        }
    }

    private static func judge(_ status: TerminationStatus, _ lastLine: String) throws {
        switch status {
        case .exited(0):
            return
        case .exited(65):
            throw DeliveryFailure.reject(lastLine.isEmpty ? "the command ended with 65" : lastLine)
        case .exited(69):
            throw DeliveryFailure.unavailable(lastLine.isEmpty ? "the command ended with 69" : lastLine)
        case .exited(let code):
            throw DeliveryFailure.retry(lastLine.isEmpty ? "the command ended with \(code)" : lastLine)
        case .signaled(let signal):
            throw DeliveryFailure.retry(lastLine.isEmpty ? "signal \(signal) ended the command" : lastLine)
        }
    }

    private static func variables(_ message: Message) -> [Subprocess.Environment.Key: String?] {
        [
            "OUTBOX_ID": String(message.id),
            "OUTBOX_DESTINATION": message.destination.name,
            "OUTBOX_ROUTE": message.route ?? "",
            "OUTBOX_KEY": message.key ?? "",
            "OUTBOX_ATTEMPT": String(message.attempt),
            "OUTBOX_HEADERS": message.headersJSON,
        ]
    }
}

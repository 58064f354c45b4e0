import Outbox
import Subprocess
import Synchronization

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

#if canImport(System)
import System
#else
import SystemPackage
#endif

/// Runs a shell command once per message: the payload on stdin, the rest in the environment.
struct CommandSink: Sendable {
    let command: String

    init(command: String) {
        self.command = command
        // Commands write to one stdout at the same time. Where that is a file, it is appended to: `cat` from file to file
        // copies within the kernel, which does not lock the place in the file that all have in common.
        var facts = stat()
        if unsafe fstat(STDOUT_FILENO, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG {
            _ = fcntl(STDOUT_FILENO, F_SETFL, fcntl(STDOUT_FILENO, F_GETFL) | O_APPEND)
        }
    }

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
            environment: .inherit.updating(try Self.variables(message)), platformOptions: options)
        let status: TerminationStatus
        let lastLine: String
        do {
            let result = try await run(
                configuration, input: .fileDescriptor(Self.open(message), closeAfterSpawningProcess: true),
                output: .currentStandardOutput, error: .sequence
            ) { execution in try await Self.lastLine(of: execution.standardError) }
            status = result.terminationStatus
            lastLine = result.closureResult
        } catch let error as SubprocessError where !Task.isCancelled {
            throw DeliveryFailure.unavailable("the command could not be run: \(error)")
        }
        // What has ended by itself has done what it says, though its time was over in that moment.
        if case .signaled = status { try Task.checkCancellation() }
        try Self.judge(status, lastLine)
    }

    private static func open(_ message: Message) throws -> FileDescriptor {
        do {
            return try PayloadFile.open(message.payload)
        } catch let error as Errno {
            throw DeliveryFailure.unavailable(
                "the payload could not be written to a temporary file in \(PayloadFile.folder) (TMPDIR): \(error)")
        }
    }

    private static func lastLine(of output: SubprocessOutputSequence) async throws -> String {
        var tail: [UInt8] = []
        for try await chunk in output {
            unsafe chunk.withUnsafeBytes { bytes in unsafe tail.append(contentsOf: bytes) }
            if tail.count > 8192 { tail.removeFirst(tail.count - 4096) }
        }
        let lines = String(decoding: tail, as: UTF8.self).split(whereSeparator: \.isNewline)
        return lines.last { !$0.allSatisfy(\.isWhitespace) }.map(String.init) ?? ""
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

    /// The environment variables that describe a message.
    ///
    /// - Throws: A rejection when a value is longer than the operating system takes: no later attempt could change that.
    private static func variables(_ message: Message) throws -> [Subprocess.Environment.Key: String?] {
        let headers = message.headersJSON ?? ""
        if headers.utf8.count > Self.longestValue {
            throw DeliveryFailure.reject(
                "the headers have \(headers.utf8.count) bytes as JSON; the environment of a command takes \(Self.longestValue)"
            )
        }
        var variables = MessageFields(message).variables
        variables["OUTBOX_ID"] = String(message.id)
        variables["OUTBOX_ATTEMPT"] = String(message.attempt)
        return variables
    }

    /// Linux takes 128 KiB for a variable: name, equals sign and the byte that ends it included.
    private static let longestValue = (128 << 10) - "OUTBOX_HEADERS=".utf8.count - 1
}

import Dispatch

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// A file or stdin, read on a thread of its own.
final class InputFile: Sendable {
    private let path: String
    private let descriptor: Descriptor
    private let queue = DispatchQueue(label: "outbox.input")

    /// Opens the file of that path; "-" is stdin.
    init(_ path: String) throws {
        self.path = path
        if path == "-" {
            self.descriptor = Descriptor(STDIN_FILENO)
            return
        }
        let number = unsafe open(path, O_RDONLY | O_CLOEXEC)
        if number < 0 { throw CommandFailure(.noInput, "\(path): \(Descriptor.Failure(code: errno).reason)") }
        self.descriptor = Descriptor(number)
    }

    deinit {
        if self.descriptor.number != STDIN_FILENO { _ = close(self.descriptor.number) }
    }

    /// Reads the next bytes; empty at the end.
    func read() async throws -> [UInt8] {
        try await withCheckedThrowingContinuation { continuation in
            self.queue.async {
                do throws(Descriptor.Failure) {
                    continuation.resume(returning: try self.descriptor.read(upTo: 1 << 18))
                } catch {
                    let name = self.path == "-" ? "stdin" : self.path
                    let status: ExitStatus = error.code == EISDIR ? .noInput : .inputOutput
                    continuation.resume(throwing: CommandFailure(status, "\(name): \(error.reason)"))
                }
            }
        }
    }
}

import Foundation
import OutboxTestServers

/// Another program, run to its end without blocking a thread of the pool.
enum Program {
    struct Failure: Error {
        let status: Int32
        let output: String
    }

    /// Returns what the program printed; throws when its status is not 0.
    static func run(_ path: String, _ arguments: [String], environment: [String: String]? = nil) async throws -> String
    {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        if let environment { process.environment = environment }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = output
        let (ended, end) = AsyncStream.makeStream(of: Int32.self)
        process.terminationHandler = {
            end.yield($0.terminationStatus)
            end.finish()
        }
        try process.run()
        let bytes = await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                let bytes = output.fileHandleForReading.readDataToEndOfFile()
                // Otherwise it stays open for as long as Foundation keeps the process's record.
                try? output.fileHandleForReading.close()
                continuation.resume(returning: bytes)
            }
        }
        let text = String(decoding: bytes, as: UTF8.self)
        for await status in ended where status != 0 { throw Failure(status: status, output: text) }
        return text
    }
}

extension EphemeralPostgres {
    /// Runs SQL through `psql` and returns its rows as lines.
    func psql(_ statement: String, url: String? = nil) async throws -> [String] {
        let output = try await Program.run(
            "\(programs)/psql", ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement, url ?? self.url])
        return output.split(separator: "\n").map(String.init)
    }
}

import Foundation
import OutboxTestServers
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct PostgresSupervisorTests {
    /// The parent here is a process of its own that holds the supervisor's standard input, so that it can be killed.
    @Test func theServerGoesWhenItsParentIsKilled() async throws {
        let inherited = ProcessInfo.processInfo.environment
        let programs = try PostgresPrograms.folder(explicit: nil, environment: inherited)
        let input = Pipe()
        let output = Pipe()
        let supervisor = try ServerSupervisor.process(
            .postgres, environment: EphemeralPostgres.supervisorEnvironment(.init(), programs: programs, inherited: inherited))
        supervisor.standardInput = input
        supervisor.standardOutput = output
        let parent = Process()
        parent.executableURL = URL(fileURLWithPath: "/bin/sh")
        parent.arguments = ["-c", "printf '\\nstart 5432 60\\n'; exec sleep 60"]
        parent.standardOutput = input
        parent.standardError = FileHandle.nullDevice
        try supervisor.run()
        try parent.run()
        defer { kill(parent.processIdentifier, SIGKILL) }
        try? input.fileHandleForWriting.close()

        let replies = await firstLines(2, of: output.fileHandleForReading).map { $0.dropFirst("ok ".count) }
        try #require(replies.count == 2)
        let folder = String(replies[0])
        let server = try #require(Int32(replies[1]))
        #expect(ProcessState.isRunning(server))
        #expect(FileManager.default.fileExists(atPath: "\(folder)/.s.PGSQL.5432"))

        kill(parent.processIdentifier, SIGKILL)

        try await eventually("the server has ended") { !ProcessState.isRunning(server) }
        try await eventually("the folder is removed") { !FileManager.default.fileExists(atPath: folder) }
        try await eventually("the supervisor has ended") { !supervisor.isRunning }
    }

    @Test func reportsAShellThatHasEnded() async throws {
        let supervisor = try ServerSupervisor(
            .postgres, environment: ["OUTBOX_SERVER_PARENT": "/nowhere", "OUTBOX_SERVER_NAME": "nobody"])
        await #expect { try await supervisor.send("") } throws: {
            ($0 as? EphemeralServerError)?.code == .initialisationFailed
        }
        // Writing to a pipe without a reader must not end this process.
        for _ in 1...3 {
            await #expect { try await supervisor.send("stop INT") } throws: {
                ($0 as? EphemeralServerError)?.code == .stopped
            }
        }
        await supervisor.close()
    }

    private func firstLines(_ count: Int, of source: FileHandle) async -> [String] {
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                var bytes = Data()
                while bytes.count(where: { $0 == UInt8(ascii: "\n") }) < count {
                    let more = source.availableData
                    if more.isEmpty { break }
                    bytes += more
                }
                continuation.resume(
                    returning: String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init))
            }
        }
    }
}

import Dispatch
import Foundation
import OutboxTestServers
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct EphemeralRabbitMQTests {
    /// The parent here is a process of its own that holds the supervisor's standard input, so that it can be killed.
    @Test func theBrokerAndItsHelpersGoWhenTheirParentIsKilled() async throws {
        let inherited = ProcessInfo.processInfo.environment
        let supervisor = try ServerSupervisor.process(
            .rabbitMQ,
            environment: EphemeralRabbitMQ.supervisorEnvironment(
                .init(), programs: RabbitMQPrograms(environment: inherited), inherited: inherited))
        let input = Pipe()
        let output = Pipe()
        supervisor.standardInput = input
        supervisor.standardOutput = output
        supervisor.standardError = FileHandle.nullDevice
        let parent = Process()
        parent.executableURL = URL(fileURLWithPath: "/bin/sh")
        parent.arguments = ["-c", "printf '\\nstart 19001,19002,19003,19004 60\\n'; exec sleep 120"]
        parent.standardOutput = input
        parent.standardError = FileHandle.nullDevice
        try supervisor.run()
        try parent.run()
        defer { kill(parent.processIdentifier, SIGKILL) }
        try? input.fileHandleForWriting.close()

        let replies = await Self.firstLines(2, of: output.fileHandleForReading).map { $0.dropFirst("ok ".count) }
        try #require(replies.count == 2)
        let folder = String(replies[0])
        #expect(FileManager.default.fileExists(atPath: "\(folder)/data"))
        let left = { Self.processes(with: folder) + Self.processes(with: "19004") }
        #expect(left().count >= 2)

        kill(parent.processIdentifier, SIGKILL)

        try await eventually("the broker and its epmd have ended") { left().isEmpty }
        try await eventually("the folder is removed") { !FileManager.default.fileExists(atPath: folder) }
        try await eventually("the supervisor has ended") { !supervisor.isRunning }
    }

    private static func firstLines(_ count: Int, of source: FileHandle) async -> [String] {
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

    /// The numbers of processes with a text in their command line, zombies left out.
    private static func processes(with text: String) -> [String] {
        let all = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return all.filter { name in
            guard Int(name) != nil, let line = FileManager.default.contents(atPath: "/proc/\(name)/cmdline") else {
                return false
            }
            return String(decoding: line, as: UTF8.self).contains(text)
        }
    }

    @Test func settingsThatCannotBeUsedAreRefused() async {
        for settings in [
            EphemeralRabbitMQ.Settings(parameters: ["listeners.tcp.1": "1"]),
            .init(parameters: ["a": "b\nc"]), .init(plugins: ["a, b"]), .init(startLimit: .zero),
            .init(encryption: .selfSigned(client: "a/CN=b")),
        ] {
            await #expect { try await EphemeralRabbitMQ.start(settings) } throws: {
                ($0 as? EphemeralServerError)?.code == .invalidSettings
            }
        }
    }
}

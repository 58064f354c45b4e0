import FlyingSocks
import Foundation
import Outbox
import OutboxTesting
import Synchronization

@testable import RedisStreams

/// A Redis of a test's own, reached through a unix socket: the other side of a ``RedisTransport``.
final class RedisServer: TransportFixture {
    private static let maximumPayload = 1 << 20

    private let folder: URL
    private let process = Mutex<Process?>(nil)

    private init() throws {
        folder = URL(fileURLWithPath: "/tmp/redis-streams-\(UInt32.random(in: 0 ... .max))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    /// Runs `body` with a server, and removes it.
    static func with(_ body: (RedisServer) async throws -> Void) async throws {
        let server = try RedisServer()
        do {
            try await server.start()
            try await body(server)
        } catch {
            await server.remove()
            throw error
        }
        await server.remove()
    }

    private func remove() async {
        try? await stop()
        try? FileManager.default.removeItem(at: folder)
    }

    private var address: sockaddr_un { .unix(path: folder.appendingPathComponent("socket").path) }

    // MARK: - The other side of a transport

    var oversizedPayload: [UInt8]? { Array(repeating: 0, count: Self.maximumPayload + 1) }

    func makeTransport() -> any Transport {
        RedisTransport(address: address, maximumPayload: Self.maximumPayload)
    }

    /// The name belongs to what is no stream, so Redis answers with an error.
    func refused(_ message: NewMessage) -> NewMessage {
        var message = message
        message.route = "a number"
        return message
    }

    func received() async throws -> [ReceivedMessage] {
        guard case .list(let entries) = try await ask("XRANGE", "orders", "-", "+") else { throw RedisProtocolError() }
        return entries.compactMap { entry in
            guard case .list(let parts) = entry, case .list(let fields)? = parts.last else { return nil }
            let words = fields.map { field -> [UInt8] in if case .bytes(let bytes) = field { bytes } else { [] } }
            var payload: [UInt8] = []
            var key = ""
            var headers: [String: String] = [:]
            for index in stride(from: 0, to: words.count, by: 2) {
                let value = words[index + 1]
                switch String(decoding: words[index], as: UTF8.self) {
                case "payload": payload = value
                case "key": key = String(decoding: value, as: UTF8.self)
                case let name where name.hasPrefix("header."):
                    headers[String(name.dropFirst(7))] = String(decoding: value, as: UTF8.self)
                default: break
                }
            }
            return ReceivedMessage(payload: payload, key: key, headers: headers)
        }
    }

    func cutConnections() async throws {
        _ = try await ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    }

    /// Kills the server; what it has confirmed is in its file.
    func stop() async throws {
        guard let process = process.withLock({ $0.take() }) else { return }
        kill(process.processIdentifier, SIGKILL)
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                process.waitUntilExit()
                continuation.resume()
            }
        }
    }

    func start() async throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            "redis-server", "--port", "0", "--unixsocket", folder.appendingPathComponent("socket").path, "--dir",
            folder.path, "--appendonly", "yes", "--appendfsync", "always", "--save", "", "--loglevel", "warning",
            "--proto-max-bulk-len", "\(Self.maximumPayload)",
        ]
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        self.process.withLock { $0 = process }
        let deadline = ContinuousClock.now + .seconds(30)
        while true {
            do {
                if case .text = try await ask("SET", "a number", "1") { return }
            } catch  where ContinuousClock.now > deadline {
                throw error
            } catch {}
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    private func ask(_ words: String...) async throws -> RedisAnswer {
        let connection = try await RedisConnection(address)
        defer { connection.close() }
        var commands = RedisCommands()
        commands.append(words.map { Array($0.utf8) })
        try await connection.send(commands)
        return try await connection.answer()
    }
}

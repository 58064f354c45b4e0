import FlyingSocks
import Foundation

/// One connection to a Redis, used by one task at a time. The protocol is RESP 2, https://redis.io/docs/reference/protocol-spec.
final class RedisConnection: Sendable {
    private let socket: AsyncSocket
    private let lines: RedisReader

    init(_ address: any SocketAddress) async throws {
        socket = try await Self.connect(address)
        lines = RedisReader(socket)
    }

    private static func connect(_ address: some SocketAddress) async throws -> AsyncSocket {
        try await AsyncSocket.connected(to: address)
    }

    func send(_ commands: RedisCommands) async throws {
        try await socket.write(commands.bytes)
    }

    /// Waits for the answer to the oldest command that has none.
    func answer() async throws -> RedisAnswer {
        let line = try await lines.line()
        switch line.first {
        case "+", ":": return .text(String(line.dropFirst()))
        case "-": return .error(String(line.dropFirst()))
        case "$":
            guard let length = Int(line.dropFirst()) else { break }
            return .bytes(length < 0 ? [] : try await lines.bytes(length))
        case "*":
            guard let count = Int(line.dropFirst()) else { break }
            var answers: [RedisAnswer] = []
            for _ in 0..<max(count, 0) { answers.append(try await answer()) }
            return .list(answers)
        default: break
        }
        throw RedisProtocolError()
    }

    func close() {
        try? socket.close()
    }
}

/// What Redis says.
enum RedisAnswer: Sendable, Hashable {
    case text(String)
    case bytes([UInt8])
    case error(String)
    case list([RedisAnswer])
}

/// Commands that are sent together.
struct RedisCommands: Sendable {
    private(set) var bytes = Data()

    mutating func append(_ words: [[UInt8]]) {
        bytes.append(contentsOf: "*\(words.count)\r\n".utf8)
        for word in words {
            bytes.append(contentsOf: "$\(word.count)\r\n".utf8)
            bytes.append(contentsOf: word)
            bytes.append(contentsOf: "\r\n".utf8)
        }
    }
}

struct RedisProtocolError: Error, CustomStringConvertible {
    var description: String { "what Redis said is no answer" }
}

/// Lines and blocks of what a socket has received.
private actor RedisReader {
    private let socket: AsyncSocket
    private var received: [UInt8] = []
    private var position = 0

    init(_ socket: AsyncSocket) {
        self.socket = socket
    }

    func line() async throws -> String {
        var searched = position
        while true {
            if let end = received[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                defer { position = end + 1 }
                return String(decoding: received[position..<max(end - 1, position)], as: UTF8.self)
            }
            searched = received.count - position
            try await receive()
        }
    }

    func bytes(_ count: Int) async throws -> [UInt8] {
        while received.count - position < count + 2 { try await receive() }
        defer { position += count + 2 }
        return Array(received[position..<position + count])
    }

    private func receive() async throws {
        received.removeFirst(position)
        position = 0
        received += try await socket.read(atMost: 64 << 10)
    }
}

import Dispatch
import Foundation
import Synchronization

#if canImport(Glibc)
import Glibc
#endif

/// Google's fake of Pub/Sub in a process of its own, with the servers that hand out tokens (Tests/PubSubServer). It ends with its
/// standard input, so at the latest with this process.
//
// Sendable because the pipes are used on the queue only, and the rest is not changed.
final class PubSubServer: @unchecked Sendable {
    /// Where it listens.
    struct Addresses: Decodable, Sendable {
        let plain: Int
        let secure: Int
        let tokens: String
        let ca: String
    }

    /// What the service has taken.
    struct Record: Decodable, Sendable, Hashable {
        let id: String
        let data: Data?
        let attributes: [String: String]?
        let ordering_key: String
        let topic: String

        var payload: [UInt8] { Array(self.data ?? Data()) }
        var text: String { String(decoding: self.payload, as: UTF8.self) }
    }

    /// What the service has seen.
    struct Facts: Decodable, Sendable {
        let requests: Int
        /// Ordering keys of which two requests were under way.
        let overlaps: [String]
        /// What it has refused that no client should send.
        let violations: [String]
        let most_bytes: Int
        let most_count: Int
    }

    /// What a token server was sent.
    struct TokenRequest: Decodable, Sendable {
        let path: String
        let method: String
        let headers: [String: String]
        let body: String
    }

    /// The server does not do what it was asked.
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// A command as it is written, and what is answered.
    private struct Answer<Result: Decodable>: Decodable {
        let result: Result?
        let error: String?
    }

    static let project = "shop"
    let addresses: Addresses
    private let process = Process()
    private let input: FileHandle
    private let output: FileHandle
    private let queue = DispatchQueue(label: "outbox.pubsub-server")
    private let log = Mutex<[Record]>([])

    /// Starts a server with a topic.
    init(topics: [String] = ["orders"]) async throws {
        let program = try await Self.program()
        let (input, output) = (Pipe(), Pipe())
        self.process.executableURL = URL(fileURLWithPath: program)
        self.process.standardInput = input
        self.process.standardOutput = output
        try self.process.run()
        self.input = input.fileHandleForWriting
        self.output = output.fileHandleForReading
        // Only the server is to have that end, so that a server that has gone is the end of the input here.
        try output.fileHandleForWriting.close()
        try input.fileHandleForReading.close()
        var first = Data()
        while !first.contains(0x0A) {
            let more = output.fileHandleForReading.availableData
            if more.isEmpty { throw Failure(description: "the server has ended before it began") }
            first.append(more)
        }
        self.addresses = try JSONDecoder().decode(Addresses.self, from: first)
        for topic in topics { try await self.create(topic) }
    }

    deinit {
        try? self.input.close()
    }

    /// The program, built once for all that ask.
    private static func program() async throws -> String {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async { continuation.resume(with: Result { try Self.build() }) }
        }
    }

    private static let built = Mutex<Swift.Result<String, Failure>?>(nil)

    private static func build() throws -> String {
        try self.built.withLock { built in
            if let built { return try built.get() }
            let result = Result { () throws(Failure) in try self.runBuild() }
            built = result
            return try result.get()
        }
    }

    private static func runBuild() throws(Failure) -> String {
        let process = Process()
        let output = Pipe()
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        process.executableURL = root.appendingPathComponent("scripts/pubsub-server")
        process.standardOutput = output
        do {
            try process.run()
        } catch {
            throw Failure(description: "scripts/pubsub-server: \(error)")
        }
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Failure(description: "scripts/pubsub-server has failed") }
        return text.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    // MARK: Commands

    /// Sends a command, and returns what is answered.
    @discardableResult func send<Result: Decodable & Sendable>(
        _ command: String, _ members: [String: any Sendable] = [:], as type: Result.Type = Bool.self
    ) async throws -> Result {
        var object: [String: Any] = members
        object["do"] = command
        let line = try JSONSerialization.data(withJSONObject: object) + Data([0x0A])
        return try await withCheckedThrowingContinuation { continuation in
            self.queue.async {
                continuation.resume(with: Swift.Result { try self.exchange(line, as: type) })
            }
        }
    }

    private func exchange<Result: Decodable>(_ line: Data, as type: Result.Type) throws -> Result {
        try self.input.write(contentsOf: line)
        // A command has one answer, which is a line.
        var text = Data()
        while text.last != 0x0A {
            let more = self.output.availableData
            if more.isEmpty { throw Failure(description: "the server has ended") }
            text.append(more)
        }
        let answer = try JSONDecoder().decode(Answer<Result>.self, from: text)
        guard let result = answer.result else { throw Failure(description: answer.error ?? "no result") }
        return result
    }

    func create(_ topic: String) async throws {
        try await self.send("create", ["project": Self.project, "topic": topic])
    }

    func delete(_ topic: String) async throws {
        try await self.send("delete", ["project": Self.project, "topic": topic])
    }

    /// Everything that was taken, in order.
    func records() async throws -> [Record] {
        let count = self.log.withLock { $0.count }
        let news = try await self.send("log", ["from": count], as: [Record].self)
        return self.log.withLock { log in
            // Another caller may have read the same.
            if log.count == count { log += news }
            return log
        }
    }

    /// The beginnings of everything that was taken, in order.
    func beginnings() async throws -> [Record] { try await self.send("log", ["count": 20], as: [Record].self) }

    /// What Google's Go client reads through a subscription.
    func pull(_ topic: String, count: Int) async throws -> [Record] {
        try await self.send("pull", ["project": Self.project, "topic": topic, "count": count], as: [Record].self)
    }

    func facts() async throws -> Facts { try await self.send("facts", as: Facts.self) }

    /// Lets requests fail.
    ///
    /// - Parameters:
    ///   - count: How many; below 0: all.
    ///   - members: `message`, `milliseconds` (to wait), `attribute`, `key`, `value` (the topic), `after` (what was sent is taken).
    func fail(_ code: Int, count: Int = -1, _ members: [String: any Sendable] = [:]) async throws {
        try await self.send("fail", members.merging(["code": code, "count": count]) { $1 })
    }

    func tokenRequests(_ path: String = "") async throws -> [TokenRequest] {
        try await self.send("token-requests", ["path": path], as: [TokenRequest].self)
    }
}

import Dispatch
import Foundation

/// A server in place of AWS, with a proxy before it that can misbehave (`scripts/awswire/testbed.py`). It ends with the last reference.
final class AWSTestbed: Sendable {
    /// Which server it is.
    enum Kind: String, Sendable {
        /// Verifies signatures.
        case moto
        /// Verifies none.
        case open
        /// Strict about FIFO queues and limits; any key will do.
        case ministack
    }

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// A message as boto3 has received it.
    struct QueueMessage: Decodable, Sendable {
        let body: Data
        let attributes: [String: String]
        let group: String?
        let deduplication: String?

        var text: String { String(decoding: self.body, as: UTF8.self) }
    }

    /// A record as boto3 has read it.
    struct StreamRecord: Decodable, Sendable {
        let data: Data
        let key: String
        let shard: String
    }

    /// A request as the proxy has seen it.
    struct Request: Decodable, Sendable {
        let operation: String
        let headers: [String: String]
        let bytes: Int
        /// How many messages it had.
        let count: Int
    }

    private struct Greeting: Decodable {
        let port: Int
        let key: String
        let secret: String
    }

    private struct Answer<Value: Decodable>: Decodable {
        let ok: Value?
        let error: String?
    }

    /// Of the proxy.
    let port: Int
    let key: String
    let secret: String
    var endpoint: String { "http://127.0.0.1:\(self.port)" }

    /// Exchanges block, so they have a thread of their own.
    private let queue = DispatchQueue(label: "outbox.aws-testbed")
    private let input: FileHandle
    private let output: FileHandle

    init(_ kind: Kind, seed: Int? = nil) async throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let python = root.appending(path: ".build/aws-tools/bin/python")
        guard FileManager.default.isExecutableFile(atPath: python.path) else {
            throw Failure(description: "what stands for AWS is not installed: run scripts/aws-tools")
        }
        let process = Process()
        process.executableURL = python
        process.arguments =
            [root.appending(path: "scripts/awswire/testbed.py").path, kind.rawValue] + (seed.map { ["\($0)"] } ?? [])
        process.environment = ProcessInfo.processInfo.environment.merging(["PYTHONDONTWRITEBYTECODE": "1"]) { $1 }
        let (input, output) = (Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        self.input = input.fileHandleForWriting
        self.output = output.fileHandleForReading
        let (queue, end) = (self.queue, self.output)
        let line = await withCheckedContinuation { continuation in
            queue.async { continuation.resume(returning: Self.line(from: end)) }
        }
        guard let greeting = try? JSONDecoder().decode(Greeting.self, from: line) else {
            throw Failure(description: "\(kind) did not start")
        }
        (self.port, self.key, self.secret) = (greeting.port, greeting.key, greeting.secret)
    }

    deinit {
        // Closing alone may tell nothing: other children of this process have this end of the pipe as well.
        try? self.input.write(contentsOf: Array("end\n".utf8))
        try? self.input.close()
    }

    // MARK: What can be asked

    func makeQueue(_ name: String, _ attributes: [String: String] = [:]) async throws {
        let _: String = try await self.ask(["do": "queue", "name": name, "attributes": attributes])
    }

    /// Makes a topic, and a queue of that name that gets what is published. Returns the topic's ARN.
    func makeTopic(_ name: String) async throws -> String { try await self.ask(["do": "topic", "name": name]) }

    /// Makes a bus, and a queue of that name that gets every event.
    func makeBus(_ name: String) async throws {
        let _: String = try await self.ask(["do": "bus", "name": name])
    }

    func removeQueue(_ name: String) async throws { try await self.tell(["do": "remove", "name": name]) }

    /// Takes what is in a queue.
    func drain(_ name: String) async throws -> [QueueMessage] { try await self.ask(["do": "drain", "name": name]) }

    func makeStream(_ name: String, shards: Int = 2) async throws {
        try await self.tell(["do": "stream", "name": name, "shards": shards])
    }

    /// Takes what has come into a stream since the last time.
    func records(_ name: String) async throws -> [StreamRecord] { try await self.ask(["do": "records", "name": name]) }

    /// What goes wrong from now on, each with its probability.
    func misbehave(_ faults: [String: Double]) async throws {
        try await self.tell((faults as [String: any Sendable]).merging(["do": "faults"]) { $1 })
    }

    /// What is answered to the next requests, in place of what the server would say.
    func answer(
        _ operation: String? = nil, status: Int, _ body: String, headers: [String: String] = [:], times: Int = 1
    ) async throws {
        var command: [String: any Sendable] = [
            "do": "script", "status": status, "body": body, "headers": headers, "times": times,
        ]
        if let operation { command["operation"] = operation }
        try await self.tell(command)
    }

    /// Changes a text in the body of the next request for an operation.
    func alter(_ operation: String, _ text: String, to other: String) async throws {
        try await self.tell(["do": "script", "operation": operation, "alter": [text, other]])
    }

    /// The requests since the last time.
    func requests() async throws -> [Request] { try await self.ask(["do": "requests"]) }

    func cut() async throws { try await self.tell(["do": "cut"]) }
    func stop() async throws { try await self.tell(["do": "stop"]) }
    func start() async throws { try await self.tell(["do": "start"]) }

    // MARK: Details

    private func tell(_ command: [String: any Sendable]) async throws {
        let _: Bool? = try await self.exchange(command).ok
    }

    private func ask<Value: Decodable & Sendable>(_ command: [String: any Sendable]) async throws -> Value {
        guard let value = try await self.exchange(command, as: Value.self).ok else {
            throw Failure(description: "no answer to \(command)")
        }
        return value
    }

    private func exchange<Value: Decodable>(
        _ command: [String: any Sendable], as type: Value.Type = Bool.self
    ) async throws -> Answer<Value> {
        var line = try JSONSerialization.data(withJSONObject: command)
        line.append(0x0A)
        let (input, output, message) = (self.input, self.output, line)
        let reply = await withCheckedContinuation { continuation in
            self.queue.async {
                try? input.write(contentsOf: message)
                continuation.resume(returning: Self.line(from: output))
            }
        }
        let decoder = JSONDecoder()
        decoder.dataDecodingStrategy = .base64
        let answer = try decoder.decode(Answer<Value>.self, from: reply)
        if let error = answer.error { throw Failure(description: error) }
        return answer
    }

    /// The bytes up to the next line's end; answers come one at a time, and nothing follows them.
    private static func line(from end: FileHandle) -> Data {
        var line = Data()
        while line.last != 0x0A {
            let more = end.availableData
            if more.isEmpty { break }
            line.append(more)
        }
        return line
    }
}

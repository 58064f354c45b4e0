import Foundation
import Logging
import Outbox
import OutboxPubSub

/// Transports to the server of a test.
enum TransportUnderTest {
    static func make(
        _ server: PubSubServer, environment: [String: String] = [:],
        _ change: (inout PubSubConfiguration) -> Void = { _ in }
    ) throws -> PubSubTransport {
        var configuration = PubSubConfiguration(
            project: PubSubServer.project, topic: "orders", endpoint: "http://127.0.0.1:\(server.addresses.plain)")
        configuration.delivery.connectTimeout = .seconds(2)
        change(&configuration)
        var logger = Logger(label: "outbox.pubsub.test")
        logger.logLevel = .critical
        return try PubSubTransport(configuration, environment: environment, logger: logger)
    }

    /// With TLS, as the service has it, and with credentials.
    static func secure(
        _ server: PubSubServer, _ credentials: PubSubCredentials, environment: [String: String] = [:],
        _ change: (inout PubSubConfiguration) -> Void = { _ in }
    ) throws -> PubSubTransport {
        let folder = try TemporaryFolder()
        return try self.make(server, environment: environment) { configuration in
            configuration.endpoint = "localhost:\(server.addresses.secure)"
            configuration.tls.caFile = folder.write(server.addresses.ca, to: "ca.pem")
            configuration.credentials = credentials
            change(&configuration)
        }
    }

    /// Runs a closure with a transport that runs, and closes it.
    static func with(_ transport: PubSubTransport, _ body: (PubSubTransport) async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await transport.run() }
            defer { group.cancelAll() }
            try await body(transport)
            await transport.close()
            try await group.waitForAll()
        }
    }

    static func with(
        _ server: PubSubServer, _ change: (inout PubSubConfiguration) -> Void = { _ in },
        _ body: (PubSubTransport) async throws -> Void
    ) async throws {
        try await self.with(try self.make(server, change), body)
    }
}

/// A folder that is removed when the process ends.
final class TemporaryFolder {
    /// In it are all that the process makes.
    private static let root: String = {
        atexit { try? FileManager.default.removeItem(atPath: TemporaryFolder.rootPath) }
        return TemporaryFolder.rootPath
    }()
    private static let rootPath = NSTemporaryDirectory() + "outbox-pubsub-\(UUID().uuidString)"

    let path: String

    init() throws {
        self.path = "\(Self.root)/\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: self.path, withIntermediateDirectories: true)
    }

    /// - Returns: The file's path.
    func write(_ text: String, to name: String) -> String {
        let path = "\(self.path)/\(name)"
        _ = FileManager.default.createFile(atPath: path, contents: Data(text.utf8))
        return path
    }
}

extension Outcome {
    var isRejection: Bool { if case .rejected = self.kind { true } else { false } }
    var isRetry: Bool { if case .retry = self.kind { true } else { false } }
    var isPostponed: Bool { if case .postponed = self.kind { true } else { false } }
    var isUnavailable: Bool { if case .unavailable = self.kind { true } else { false } }
}

extension NewMessage {
    static func numbered(
        _ number: Int, key: String? = nil, route: String? = nil, headers: [String: String] = [:]
    ) -> NewMessage {
        NewMessage(to: "orders", route: route, key: key, headers: headers, text: "\(number)")
    }
}

extension [Outcome] {
    var areDelivered: Bool { self.allSatisfy { $0 == .delivered } }
    var areUnavailable: Bool { self.allSatisfy(\.isUnavailable) }
}

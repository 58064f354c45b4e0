import OutboxTestServers
import Synchronization
import Testing

/// A schema's name that no other test has, on the server that all tests share.
///
/// ```swift
/// @Test(.schema) func storesMessages() async throws {
///     let schema = SchemaScope.current
///     let connection = try await LibPQConnection.connect(.init(schema.url))
///     try await connection.execute(script: "CREATE SCHEMA \(schema.name)")
/// }
/// ```
///
/// The schema is not created: what is tested does that. It is not dropped either, the server is thrown away.
struct SchemaScope: Sendable {
    /// An identifier that needs no quotes and leaves room for suffixes.
    let name: String
    /// The shared server's connection string.
    let url: String

    /// The running test's schema. Only for tests with the trait `.schema`.
    static var current: SchemaScope {
        guard let scope else {
            preconditionFailure("This test uses SchemaScope.current, so it needs the trait .schema.")
        }
        return scope
    }

    @TaskLocal fileprivate static var scope: SchemaScope?
    private static let count = Atomic(0)

    /// Part of the test's name is in the schema's, so that a look into the server's log tells whose statement it was.
    fileprivate init(test: Test, url: String) {
        let number = Self.count.wrappingAdd(1, ordering: .relaxed).newValue
        let words = test.name.lowercased().utf8.prefix { $0 != UInt8(ascii: "(") }
            .filter { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) }
        name = "t\(number)_\(String(decoding: words.prefix(24), as: UTF8.self))"
        self.url = url
    }
}

/// Gives each test, and each case of a parameterised test, a ``SchemaScope`` of its own.
struct SchemaTrait: TestTrait, SuiteTrait, TestScoping {
    let isRecursive = true

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable @concurrent () async throws -> Void
    ) async throws {
        let scope = SchemaScope(test: test, url: try await TestServer.shared.url)
        try await SchemaScope.$scope.withValue(scope) { try await function() }
    }
}

extension Trait where Self == SchemaTrait {
    /// A schema of the test's own on the shared server, in ``SchemaScope/current``.
    static var schema: SchemaTrait { SchemaTrait() }
}

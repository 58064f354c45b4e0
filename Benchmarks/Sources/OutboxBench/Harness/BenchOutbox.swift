import Outbox
import OutboxPostgres

/// An outbox for a benchmark, in a schema of its own, with what it takes to fill it.
struct BenchOutbox: Sendable {
    /// All that benchmarks enqueue is for this one.
    static let destination: Destination = "bench"

    let server: BenchServer
    let postgres: LibPQConfiguration
    let schema: OutboxSchema
    /// How many streams a relay divides a destination into.
    private(set) var streams = 1
    private let connection: LibPQConnection

    init(server: BenchServer, schema: OutboxSchema, connection: LibPQConnection) throws {
        self.server = server
        self.postgres = try LibPQConfiguration(server.connectionString)
        self.schema = schema
        self.connection = connection
    }

    /// The same with destinations that are divided into so many streams; none may have any by now.
    func divided(into streams: Int) -> BenchOutbox {
        var outbox = self
        outbox.streams = streams
        return outbox
    }

    /// The log, qualified.
    var log: String { self.render("{{schema}}.message") }

    /// The text with the schema in place of `{{schema}}`.
    func render(_ sql: String) -> String {
        sql.split(separator: "{{schema}}", omittingEmptySubsequences: false).joined(separator: self.schema.name)
    }

    /// Runs SQL in which `{{schema}}` stands for the schema.
    @inline(never)
    func execute(_ sql: String) async throws {
        try await self.connection.execute(script: self.render(sql))
    }

    /// Runs a statement in which `{{schema}}` stands for the schema.
    @inline(never)
    func query(_ sql: String) async throws -> LibPQResult {
        try await self.connection.query(LibPQStatement(self.render(sql)))
    }

    /// The number that a statement returns.
    @inline(never) // swiftc 6.3 crashes when it is inlined
    func count(_ sql: String) async throws -> Int {
        let rows = try await self.query(sql)
        return Int(try rows[0].decode(0, as: Int64.self))
    }

    /// Adds messages of one length, with 10,000 keys, to the log or to another table with such columns.
    func fill(
        _ messages: Int, size: Int, table: String = "message", content: Content = .digests
    ) async throws {
        try await self.insertMany(messages, size: size, table: table, content)
        try await self.execute("VACUUM ANALYZE {{schema}}.\(table)")
    }

    /// Adds messages in one transaction that commits when `pass` has returned. It is called when one message has committed that
    /// comes after all of them in the log.
    func fillLate(_ messages: Int, size: Int, pass: () async throws -> Void) async throws {
        let other = try await self.server.connect()
        try await withCleanUp {
            try await self.execute("BEGIN")
            try await self.insertMany(messages, size: size, table: "message", .digests)
            try await other.execute(script: self.render("SELECT {{schema}}.enqueue('bench', 'after them')"))
            try await pass()
            try await self.execute("COMMIT")
        } cleanUp: {
            await other.close()
        }
        try await self.execute("VACUUM ANALYZE {{schema}}.message")
    }

    /// What payloads are made of.
    enum Content: Sendable {
        /// Bytes, which are no text.
        case digests
        /// Lines of JSON, in which a quote comes all few bytes.
        case lines

        /// For a number `i`, at least 16 bytes.
        fileprivate var part: String {
            switch self {
            case .digests: "decode(md5(i::text), 'hex')"
            case .lines:
                #"""
                convert_to('{"id":"' || left(md5(i::text), 16) || '","sku":"' || right(md5(i::text), 16) || E'"}\n', 'UTF8')
                """#
            }
        }
    }

    private func insertMany(_ messages: Int, size: Int, table: String, _ content: Content) async throws {
        Harness.say("\(messages.grouped) messages of \(size.grouped) bytes are enqueued")
        // Of digests, because a long payload that compresses well would be stored as a short one.
        try await self.execute(
            """
            INSERT INTO {{schema}}.\(table) (destination, payload, key)
            SELECT 'bench', content.payload, 'key-' || i % 10000
            FROM generate_series(1, \(messages)) AS i, (
                SELECT substr(coalesce(string_agg(\(content.part), ''), ''), 1, \(size)) AS payload
                FROM generate_series(1, \((size + 15) / 16)) AS i
            ) AS content
            """)
    }

    /// Empties the log. No relay may run.
    func empty() async throws {
        try await self.execute("TRUNCATE {{schema}}.message")
    }

    /// A statement for ``Load`` that enqueues one message.
    ///
    /// - Parameters:
    ///   - size: How long its payload is, in bytes, at least 8. It begins with the time when it was sent.
    ///   - table: The log, or another table with such columns.
    func insert(size: Int, table: String = "message") -> String {
        self.render(
            """
            INSERT INTO {{schema}}.\(table) (destination, key, payload)
            VALUES ('bench', 'key-' || $1 % 10000, int8send($1) || decode(repeat('78', \(max(size - 8, 0))), 'hex'))
            """)
    }
}

import OutboxPostgres

extension OutboxSchema {
    /// Makes sure that the outbox is there and of the version that this program works with.
    ///
    /// - Throws: A ``CommandFailure`` that says which command helps.
    func check(on connection: Connection) async throws {
        let history = try await Migrator(schema: self).status(on: connection)
        let isEmpty = history.allSatisfy { if case .pending = $0.state { true } else { false } }
        if isEmpty { throw self.missing }
        if let newer = history.last(where: { if case .unknown = $0.state { true } else { false } }) {
            throw CommandFailure(
                .wrongSchema,
                """
                the schema “\(self.name)” is newer than this program, which knows no version \(newer.version); update the \
                program
                """)
        }
        if let missing = history.first(where: { if case .pending = $0.state { true } else { false } }) {
            throw CommandFailure(
                .wrongSchema,
                """
                the schema “\(self.name)” is older than this program: version \(missing.version) is missing; bring it up to \
                date with: outbox migrate up\(self.option)
                """)
        }
    }

    /// Runs what a producer may do, who is not allowed to look for the schema first.
    ///
    /// - Throws: What `body` throws; a ``CommandFailure`` when the reason is that there is no outbox.
    func explaining<Result>(_ body: () async throws -> Result) async throws -> Result {
        do {
            return try await body()
        } catch let error as PostgresError where ["3F000", "42P01"].contains(error.sqlState) {
            throw self.missing
        }
    }

    private var missing: CommandFailure {
        CommandFailure(
            .wrongSchema,
            "there is no outbox in the schema “\(self.name)”; create it with: outbox migrate up\(self.option)")
    }

    /// The option that names this schema, where it has to be given.
    var option: String { self.name == "outbox" ? "" : " --schema \(self.name)" }
}

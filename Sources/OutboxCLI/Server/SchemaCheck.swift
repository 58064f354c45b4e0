import OutboxPostgres

extension OutboxSchema {
    /// Makes sure that the outbox is there and that this program works with its version.
    ///
    /// - Throws: A ``CommandFailure`` that says which command helps.
    func check(on connection: LibPQConnection) async throws {
        do {
            try await self.checkVersion(on: connection)
        } catch let error as OutboxError {
            throw self.failure(error) ?? error
        }
    }

    /// The same failure with the command that helps; nil: none does.
    private func failure(_ error: OutboxError) -> CommandFailure? {
        switch error.code {
        case .schemaMissing:
            self.missing
        case .schemaUnversioned:
            CommandFailure(
                .wrongSchema,
                """
                the schema “\(self.name)” holds an outbox without the rows that say of which version: it came with a dump of the \
                structure alone, or the rows were removed; restore them with: outbox migrate up\(self.option)
                """)
        case .schemaOutdated:
            CommandFailure(
                .wrongSchema,
                "the schema “\(self.name)” is older than this program; bring it up to date with: outbox migrate up\(self.option)"
            )
        default:
            nil
        }
    }

    /// Runs what a producer may do. A producer's role may not look for the schema first.
    ///
    /// - Throws: What `body` throws; a ``CommandFailure`` when the reason is that there is no outbox.
    func explaining<Result>(_ body: () async throws -> Result) async throws -> Result {
        do {
            return try await body()
        } catch let error as LibPQError where ["3F000", "42P01"].contains(error.sqlState) {
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

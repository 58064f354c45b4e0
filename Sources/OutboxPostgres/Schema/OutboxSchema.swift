package import OutboxMigrations
package import OutboxSQL

/// The schema of an outbox: its tables, functions and triggers, as SQL for any migration tool.
///
/// ```swift
/// let schema = try OutboxSchema(name: "outbox")
/// print(schema.sql)
/// ```
///
/// Several outboxes can live in one database, each in a schema of its own; they do not see each other.
public struct OutboxSchema: Sendable, Hashable {
    /// The schema's name, as it is, unquoted. Default "outbox".
    public let name: String

    /// The schema "outbox".
    public init() {
        self.name = "outbox"
    }

    /// The schema of that name.
    ///
    /// - Throws: ``OutboxError/Code/schemaName`` when it cannot be a schema's name: empty, longer than 63 bytes, with a NUL or
    ///   beginning with `pg_`.
    public init(name: String) throws(OutboxError) {
        if name.isEmpty { throw OutboxError(.schemaName, "A schema's name is not empty.") }
        if name.utf8.count > 63 { throw OutboxError(.schemaName, "A schema's name has at most 63 bytes.") }
        if name.utf8.contains(0) { throw OutboxError(.schemaName, "A schema's name has no NUL.") }
        // It is in comments of the SQL too.
        if name.contains(where: \.isNewline) { throw OutboxError(.schemaName, "A schema's name has no line break.") }
        // By bytes, as the server reads: a dollar with a combining accent is one Character, and not the dollar.
        let bytes = Array(name.utf8)
        if bytes.starts(with: "pg_".utf8) {
            throw OutboxError(.schemaName, "Postgres keeps names that begin with pg_ for itself.")
        }
        if bytes.contains(Array("$outbox$".utf8)) || bytes.contains(Array("{{schema".utf8)) {
            throw OutboxError(.schemaName, "A schema's name contains neither $outbox$ nor {{schema.")
        }
        self.name = name
    }

    /// The newest version of the schema that this library knows. It works with newer ones too, if their migrations say so.
    package static let currentVersion = Migrations.all.last?.version ?? 0

    /// The oldest version of the schema that this library works with.
    package static let oldestVersion = 5

    /// What creates the schema at its newest version: one script, to be run in one transaction.
    public var sql: String {
        Migrations.all.map { self.up($0) }.joined(separator: "\n")
    }

    /// What removes the outbox and everything in it. Other objects in the schema stay, and with them the schema.
    package var down: String {
        Migrations.all.reversed().map { self.down($0) }.joined(separator: "\n")
    }

    /// The name quoted as an identifier.
    package var identifier: String { SQLIdentifier(self.name).quoted }

    /// The quoted name, escaped for use inside a literal.
    package var identifierText: String { SQLIdentifier.escapedInLiteral(self.identifier) }

    /// The statements that run at run time.
    package var statements: Statements { self.statements(.standard) }

    func statements(_ columns: MessageColumns) -> Statements {
        Statements(schema: self.identifier, schemaText: self.identifierText, columns: columns.list)
    }

    /// The statements that migrate.
    package var migrationStatements: MigrationStatements {
        MigrationStatements(schema: self.identifier, schemaText: self.identifierText)
    }

    /// The statements that enqueue.
    package var enqueueStatements: EnqueueStatements { self.enqueueStatements(.standard) }

    func enqueueStatements(_ columns: MessageColumns) -> EnqueueStatements {
        EnqueueStatements(schema: self.identifier, schemaText: self.identifierText, columns: columns.list)
    }

    /// The statements that inspect.
    package var inspectionStatements: InspectionStatements { self.inspectionStatements(.standard) }

    func inspectionStatements(_ columns: MessageColumns) -> InspectionStatements {
        InspectionStatements(schema: self.identifier, schemaText: self.identifierText, columns: columns.list)
    }

    /// The statements that look for faults.
    package var doctorStatements: DoctorStatements {
        DoctorStatements(
            schema: self.identifier, schemaText: self.identifierText, columns: MessageColumns.standard.list)
    }

    /// What brings the schema to a migration's version, and notes that it did.
    ///
    /// - Parameter migrations: All that are known, the oldest first.
    package func up(_ migration: Migrations.File, of migrations: [Migrations.File] = Migrations.all) -> String {
        """
        \(self.render(migration.up))
        INSERT INTO \(self.identifier).migration (version, name, checksum, readable_by)
        VALUES (\(migration.version), '\(migration.name)', '\(migration.checksum)', \(migration.readableBy));
        \(self.comment(upTo: migration.version, of: migrations))

        """
    }

    /// What undoes a migration. Undoing the first one removes the table of versions too.
    ///
    /// - Parameter migrations: All that are known, the oldest first.
    package func down(_ migration: Migrations.File, of migrations: [Migrations.File] = Migrations.all) -> String {
        let forget = """
            DELETE FROM \(self.identifier).migration WHERE version OPERATOR(pg_catalog.=) \(migration.version);
            \(self.comment(upTo: migration.version - 1, of: migrations))

            """
        return (migration.version == 1 ? "" : forget) + self.render(migration.down)
    }

    /// Notes what has been applied where a dump of the structure alone takes it along.
    private func comment(upTo version: Int, of migrations: [Migrations.File]) -> String {
        let applied = migrations.filter { $0.version <= version }.map(AppliedMigration.init)
        return "COMMENT ON TABLE \(self.identifier).migration IS '\(AppliedMigration.comment(applied))';"
    }

    /// Puts the schema's name into a text.
    package func render(_ text: String) -> String {
        text
            .split(separator: "{{schema_text}}", omittingEmptySubsequences: false).joined(
                separator: self.identifierText
            )
            .split(separator: "{{schema}}", omittingEmptySubsequences: false).joined(separator: self.identifier)
    }
}

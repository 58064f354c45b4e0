package import OutboxMigrations
import OutboxSQL

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Brings an outbox's schema to a version.
///
/// ```swift
/// let steps = try await OutboxMigrator().up(on: connection)
/// ```
///
/// Each step is a transaction of its own, so one that fails leaves the schema at the version before it. Any number of
/// migrators may run at once: each step is made by one of them.
///
/// What is thrown beside ``OutboxError`` is the client's: ``LibPQError`` or ``LibPQTransactionError``.
public struct OutboxMigrator: Sendable {
    private let schema: OutboxSchema
    private let migrations: [Migrations.File]
    private let statements: MigrationStatements

    /// A migrator for a schema. Default: the schema "outbox".
    public init(schema: OutboxSchema = OutboxSchema()) {
        self.init(schema: schema, migrations: Migrations.all)
    }

    /// The same with other migrations, the oldest first.
    package init(schema: OutboxSchema, migrations: [Migrations.File]) {
        self.schema = schema
        self.migrations = migrations
        self.statements = schema.migrationStatements
    }

    /// What has been applied and what has not: one status per version that this program knows or that was applied.
    ///
    /// - Throws: ``OutboxError/Code/schemaOccupied`` where other tables are in the place of an outbox's,
    ///   ``OutboxError/Code/schemaUnversioned``, ``OutboxError/Code/privilege``.
    public func status(on connection: LibPQConnection) async throws -> [MigrationStatus] {
        do {
            return try await connection.withTransaction(readOnly: true) { transaction in
                try await transaction.query(LibPQStatement(self.statements.configure))
                switch try await self.contents(transaction) {
                case .history(let history): return history.statuses
                case .unversioned: throw OutboxError.unversioned(self.schema)
                }
            }
        } catch {
            throw OutboxError.explaining(error, schema: self.schema, task: "read the versions of")
        }
    }

    /// Applies what has not been applied. First it restores what a dump or a restore has left out: the rows that say what was
    /// applied, which a dump of the structure alone does not have, and the privileges that a restore without them opened to
    /// every role. Where a step replaces an object, it gives roles back what they were granted on the one before.
    ///
    /// - Parameters:
    ///   - version: Where to stop. Default: the newest version that this program knows. A schema that is newer than this
    ///     is left as it is.
    ///   - connection: A connection that is not in a transaction.
    ///   - progress: Called after each step that was committed.
    /// - Returns: The steps that this call has made; none when there was nothing to do.
    /// - Throws: ``OutboxError`` with ``OutboxError/Code/drift`` if a migration was applied with another text,
    ///   ``OutboxError/Code/schemaTooNew``, ``OutboxError/Code/schemaOccupied``, ``OutboxError/Code/unknownVersion``,
    ///   ``OutboxError/Code/privilege``. The steps before it have been made.
    @discardableResult
    public func up(
        to version: Int? = nil, on connection: LibPQConnection, progress: (MigrationStep) -> Void = { _ in }
    ) async throws -> [MigrationStep] {
        try await self.run(on: connection, progress: progress) { transaction, contents in
            if let step = try await self.restore(contents, transaction) { return step }
            guard case .history(let history) = contents, let file = try history.nextUp(to: version) else { return nil }
            try await self.execute(self.schema.up(file, of: self.migrations), transaction)
            return MigrationStep(version: file.version, name: file.name, direction: .up)
        }
    }

    /// Undoes the migrations above a version, the newest first. Version 0 is no outbox at all: **every message, delivered
    /// or not, is gone**.
    ///
    /// - Parameters:
    ///   - version: Where to stop.
    ///   - connection: A connection that is not in a transaction.
    ///   - progress: Called after each step that was committed.
    /// - Returns: The steps that this call has made.
    /// - Throws: As ``up(to:on:progress:)``, except that a drift is no obstacle, and ``OutboxError/Code/schemaUnversioned``.
    @discardableResult
    public func down(
        to version: Int, on connection: LibPQConnection, progress: (MigrationStep) -> Void = { _ in }
    ) async throws -> [MigrationStep] {
        try await self.run(on: connection, progress: progress) { transaction, contents in
            guard case .history(let history) = contents else { throw OutboxError.unversioned(self.schema) }
            guard let file = try history.nextDown(to: version) else { return nil }
            try await self.execute(self.schema.down(file, of: self.migrations), transaction)
            return MigrationStep(version: file.version, name: file.name, direction: .down)
        }
    }

    // MARK: - Steps

    /// Takes step after step, each in a transaction of its own, under the lock and after another look at what has been applied.
    private func run(
        on connection: LibPQConnection, progress: (MigrationStep) -> Void,
        step take: (borrowing LibPQTransaction, Contents) async throws -> MigrationStep?
    ) async throws -> [MigrationStep] {
        var steps: [MigrationStep] = []
        do {
            while true {
                let step: MigrationStep? = try await connection.withTransaction { transaction in
                    try await transaction.query(LibPQStatement(self.statements.configure))
                    try await transaction.query(LibPQStatement(self.statements.lock))
                    return try await take(transaction, try await self.contents(transaction))
                }
                guard let step else { return steps }
                steps.append(step)
                progress(step)
            }
        } catch {
            throw OutboxError.explaining(error, schema: self.schema, task: "migrate")
        }
    }

    /// Runs a migration's script, and gives roles back what they had been granted on objects that it has replaced.
    private func execute(_ script: String, _ transaction: borrowing LibPQTransaction) async throws {
        let privileges = LibPQStatement(self.statements.privileges)
        let before = try PrivilegeSnapshot(try await transaction.query(privileges))
        try await transaction.execute(script: script)
        let grants = before.statements(after: try PrivilegeSnapshot(try await transaction.query(privileges)))
        if !grants.isEmpty { try await transaction.execute(script: grants.joined(separator: "\n")) }
    }

    /// - Returns: What was restored; nil: nothing was missing.
    private func restore(_ contents: Contents, _ transaction: borrowing LibPQTransaction) async throws -> MigrationStep?
    {
        switch contents {
        case .unversioned(let applied):
            try await transaction.query(
                LibPQStatement(
                    self.statements.restoreVersions,
                    [
                        .int4Array(applied.map { Int32($0.version) }), .textArray(applied.map(\.name)),
                        .textArray(applied.map(\.checksum)), .int4Array(applied.map { Int32($0.readableBy) }),
                    ]))
            return self.restored(applied.last, "what says that it was applied")
        case .history(let history):
            if history.applied.isEmpty { return nil }
            let open = try await transaction.query(LibPQStatement(self.statements.openFunctions))
            if open.isEmpty { return nil }
            let names = try open.map { row in try row.decode("name", as: String.self) }
            let closing = try open.map { row in try row.decode("close", as: String.self) + ";" }
            try await transaction.execute(script: closing.joined(separator: "\n"))
            return self.restored(
                history.applied.last, "only roles that were granted it may call \(names.joined(separator: ", "))")
        }
    }

    private func restored(_ migration: AppliedMigration?, _ detail: String) -> MigrationStep? {
        migration.map { MigrationStep(version: $0.version, name: $0.name, direction: .restored, detail: detail) }
    }

    // MARK: - What is there

    /// What is in the schema.
    private enum Contents {
        /// What has been applied; empty if there is no outbox.
        case history(MigrationHistory)
        /// The structure of an outbox, without the rows that say of which version: what its comment says was applied.
        case unversioned([AppliedMigration])
    }

    private func contents(_ transaction: borrowing LibPQTransaction) async throws -> Contents {
        let facts = try await transaction.query(LibPQStatement(self.statements.facts))[0]
        let relations = try facts.decode("relations", as: [String].self)
        if relations.isEmpty {
            return .history(MigrationHistory(schema: self.schema, known: self.migrations, applied: []))
        }
        guard try facts.decode("has_versions", as: Bool.self) else { throw self.occupied(by: relations) }
        let applied = try await transaction.query(LibPQStatement(self.statements.list)).map { row in
            AppliedMigration(
                version: try row.decode("version", as: Int.self), name: try row.decode("name", as: String.self),
                checksum: try row.decode("checksum", as: String.self),
                readableBy: try row.decode("readable_by", as: Int.self),
                date: try row.decode("applied_at", as: Date.self))
        }
        if applied.isEmpty {
            let comment = try facts.decode("comment", as: String?.self)
            // Without such a comment, it may be another application's table.
            guard let noted = comment.flatMap(AppliedMigration.parse) else { throw self.occupied(by: relations) }
            return .unversioned(noted)
        }
        return .history(MigrationHistory(schema: self.schema, known: self.migrations, applied: applied))
    }

    private func occupied(by relations: [String]) -> OutboxError {
        OutboxError(
            .schemaOccupied,
            """
            The schema \(self.schema.identifier) holds relations that have the names of an outbox's and are no \
            complete outbox: \(relations.joined(separator: ", ")). Name another schema, or move them away.
            """, schema: self.schema)
    }
}

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
/// let steps = try await Migrator().up(on: connection)
/// ```
///
/// Each step is a transaction of its own, so one that fails leaves the schema at the version before it. Any number of
/// migrators may run at once: each step is made by one of them.
///
/// What is thrown beside ``OutboxError`` is the client's: ``PostgresError`` or ``TransactionError``.
public struct Migrator: Sendable {
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
    /// - Throws: ``OutboxError/Code/schemaOccupied`` where tables of others are in the place of an outbox's,
    ///   ``OutboxError/Code/privilege``.
    public func status(on connection: Connection) async throws -> [MigrationStatus] {
        do {
            return try await self.history { statement in try await connection.query(statement) }.statuses
        } catch {
            throw OutboxError.explaining(error, schema: self.schema, task: "read the versions of")
        }
    }

    /// Applies what has not been applied.
    ///
    /// - Parameters:
    ///   - version: Where to stop. Default: the newest version that this program knows. A schema that is newer than this
    ///     is left as it is.
    ///   - connection: A connection that is not in a transaction.
    ///   - progress: Called after each step that was committed.
    /// - Returns: The steps that this call has made; none when there was nothing to do.
    /// - Throws: ``OutboxError`` with ``OutboxError/Code/drift`` if a migration was applied with another text,
    ///   ``OutboxError/Code/schemaNewer``, ``OutboxError/Code/schemaOccupied``, ``OutboxError/Code/unknownVersion``,
    ///   ``OutboxError/Code/privilege``. The steps before it have been made.
    @discardableResult
    public func up(
        to version: Int? = nil, on connection: Connection, progress: (MigrationStep) -> Void = { _ in }
    ) async throws -> [MigrationStep] {
        try await self.run(.up, on: connection, progress: progress) { history in
            try history.nextUp(to: version).map { file in (file, self.schema.up(file)) }
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
    /// - Throws: As ``up(to:on:progress:)``, except that a drift is no obstacle.
    @discardableResult
    public func down(
        to version: Int, on connection: Connection, progress: (MigrationStep) -> Void = { _ in }
    ) async throws -> [MigrationStep] {
        try await self.run(.down, on: connection, progress: progress) { history in
            try history.nextDown(to: version).map { file in (file, self.schema.down(file)) }
        }
    }

    // MARK: - Steps

    /// Takes step after step, each under the lock and after another look at what has been applied.
    private func run(
        _ direction: MigrationStep.Direction, on connection: Connection, progress: (MigrationStep) -> Void,
        next: (MigrationHistory) throws -> (Migrations.File, script: String)?
    ) async throws -> [MigrationStep] {
        var steps: [MigrationStep] = []
        do {
            while true {
                let step: MigrationStep? = try await connection.withTransaction { transaction in
                    try await transaction.query(SQLStatement(self.statements.configure))
                    try await transaction.query(SQLStatement(self.statements.lock))
                    let history = try await self.history { statement in try await connection.query(statement) }
                    guard let (file, script) = try next(history) else { return nil }
                    try await transaction.execute(script: script)
                    return MigrationStep(version: file.version, name: file.name, direction: direction)
                }
                guard let step else { return steps }
                steps.append(step)
                progress(step)
            }
        } catch {
            throw OutboxError.explaining(error, schema: self.schema, task: "migrate")
        }
    }

    private func history(_ query: (SQLStatement) async throws -> QueryResult) async throws -> MigrationHistory {
        let facts = try await query(SQLStatement(self.statements.facts))[0]
        let relations = try facts.decode("relations", as: [String].self)
        if relations.isEmpty { return MigrationHistory(schema: self.schema, known: self.migrations, applied: []) }
        guard try facts.decode("has_versions", as: Bool.self) else { throw self.occupied(by: relations) }
        let applied = try await query(SQLStatement(self.statements.list)).map { row in
            MigrationHistory.Applied(
                version: try row.decode("version", as: Int.self), name: try row.decode("name", as: String.self),
                checksum: try row.decode("checksum", as: String.self), date: try row.decode("applied_at", as: Date.self)
            )
        }
        // A table of versions beside nothing that is applied: somebody else's.
        if applied.isEmpty { throw self.occupied(by: relations) }
        return MigrationHistory(schema: self.schema, known: self.migrations, applied: applied)
    }

    private func occupied(by relations: [String]) -> OutboxError {
        OutboxError(
            .schemaOccupied,
            """
            The schema \(self.schema.identifier) holds relations that have the names of an outbox's and are no \
            complete outbox: \(relations.joined(separator: ", ")). Name another schema, or move them away.
            """)
    }
}

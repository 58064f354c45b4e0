import OutboxMigrations

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What was applied to a schema beside what this program knows, and the decisions that follow from it.
///
/// A value type without I/O.
struct MigrationHistory: Sendable {
    let schema: OutboxSchema
    /// What this program knows, the oldest first.
    let known: [Migrations.File]
    /// What was applied, the oldest first.
    let applied: [AppliedMigration]

    /// One status per known or applied version, the oldest first.
    var statuses: [MigrationStatus] {
        let applied = Dictionary(self.applied.map { ($0.version, $0) }, uniquingKeysWith: { first, _ in first })
        let known = Dictionary(self.known.map { ($0.version, $0) }, uniquingKeysWith: { first, _ in first })
        return Set(applied.keys).union(known.keys).sorted().map { version in
            let name = known[version]?.name ?? applied[version]?.name ?? ""
            let state: MigrationStatus.State =
                switch (known[version], applied[version]) {
                case (let file?, let applied?) where file.checksum == applied.checksum:
                    .applied(at: applied.date ?? .distantPast)
                case (_?, let applied?): .drifted(at: applied.date ?? .distantPast)
                case (nil, let applied?): .unknown(at: applied.date ?? .distantPast)
                case (_, nil): .pending
                }
            let newest = self.known.last?.version ?? 0
            let isReadable = known[version] != nil || (applied[version]?.readableBy ?? version) <= newest
            return MigrationStatus(version: version, name: name, state: state, isReadable: isReadable)
        }
    }

    /// The next migration to apply on the way up; nil: there is none.
    func nextUp(to target: Int?) throws(OutboxError) -> Migrations.File? {
        let target = target ?? self.known.last?.version ?? 0
        try self.checkKnown(target)
        try self.checkReadable()
        for (file, applied) in self.pairs {
            guard let applied else { continue }
            if applied.checksum != file.checksum { throw self.drift(file) }
        }
        guard let next = self.pairs.first(where: { $0.1 == nil })?.0 else { return nil }
        // A newer migration, which this program works with, builds on the missing one.
        if let later = self.applied.last, later.version > next.version {
            throw OutboxError(
                .drift,
                """
                Version \(later.version) has been applied to the schema \(self.schema.identifier) and version \
                \(next.version), which comes before it, has not. Restore the row of version \(next.version) in \
                \(self.schema.identifier).migration if the change itself is there, or restore a backup.
                """, schema: self.schema)
        }
        return next.version <= target ? next : nil
    }

    /// The next migration to undo on the way down; nil: there is none.
    func nextDown(to target: Int) throws(OutboxError) -> Migrations.File? {
        if target != 0 { try self.checkKnown(target) }
        try self.checkNotNewer()
        guard let last = self.applied.last, last.version > target else { return nil }
        return self.known.first { $0.version == last.version }
    }

    private var pairs: [(Migrations.File, AppliedMigration?)] {
        self.known.map { file in (file, self.applied.first { $0.version == file.version }) }
    }

    private func checkKnown(_ version: Int) throws(OutboxError) {
        if self.known.contains(where: { $0.version == version }) { return }
        throw OutboxError.unknown(version, of: self.known, self.schema)
    }

    /// A newer schema that this program works with has nothing for it to do.
    private func checkReadable() throws(OutboxError) {
        let newest = self.known.last?.version ?? 0
        guard let last = self.applied.last, let readableBy = self.applied.map(\.readableBy).max(), readableBy > newest
        else { return }
        throw OutboxError.newer(self.schema, version: last.version, known: newest)
    }

    private func checkNotNewer() throws(OutboxError) {
        let newest = self.known.last?.version ?? 0
        guard let last = self.applied.last, last.version > newest else { return }
        throw OutboxError.newer(self.schema, version: last.version, known: newest)
    }

    private func drift(_ file: Migrations.File) -> OutboxError {
        OutboxError(
            .drift,
            """
            Migration \(file.version) (\(file.name)) was applied to the schema \(self.schema.identifier) with another \
            text than this program has. Use the program that applied it. Or, once you have made sure that the \
            difference does not matter, accept it: UPDATE \(self.schema.identifier).migration SET checksum = \
            '\(file.checksum)' WHERE version = \(file.version)
            """, schema: self.schema)
    }
}

import OutboxMigrations
import OutboxSQL

extension OutboxSchema {
    /// What takes the schema from one version to another, up or down: one script, for another tool that migrates.
    ///
    /// Where it begins with an outbox, it does what ``OutboxMigrator`` does around its steps: it refuses a schema of another version, waits
    /// for another migrator, and gives roles back what they had been granted on objects that it replaces. It is meant for one
    /// transaction, and holds outside of one too.
    ///
    /// - Parameters:
    ///   - version: The version that the schema has; 0: there is no outbox.
    ///   - target: The version that it has afterwards; 0: there is none.
    /// - Throws: ``OutboxError/Code/unknownVersion``.
    package func script(from version: Int, to target: Int) throws(OutboxError) -> String {
        for version in [version, target]
        where version != 0 && !Migrations.all.contains(where: { $0.version == version }) {
            throw OutboxError.unknown(version, of: Migrations.all, self)
        }
        var parts =
            version < target
            ? Migrations.all.filter { $0.version > version && $0.version <= target }.map { self.up($0) }
            : Migrations.all.reversed().filter { $0.version > target && $0.version <= version }.map { self.down($0) }
        if version > 0 {
            parts.insert(
                MigrationStatements.beginStep(
                    from: version, schema: self.identifier, schemaText: self.identifierText), at: 0)
            parts.append(MigrationStatements.endStep(schema: self.identifier, schemaText: self.identifierText))
        }
        return parts.joined(separator: "\n")
    }

    /// What a schema loses on its way down to a version, in the words of the migrations: a line of text each, the newest first.
    package static func losses(from version: Int, to target: Int) -> [String] {
        Migrations.all.reversed().filter { $0.version > target && $0.version <= version }.map { file in
            // The comment at the top, to the end of its first paragraph.
            file.down.split(separator: "\n", omittingEmptySubsequences: false)
                .prefix { $0.hasPrefix("-- ") }
                .map { $0.dropFirst(3) }
                .joined(separator: " ")
        }
    }
}

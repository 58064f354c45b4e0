/// The statements of the folder `migration`.
package struct MigrationStatements: Sendable {
    package let configure: String
    package let lock: String
    package let facts: String
    package let list: String
    package let restoreVersions: String
    package let openFunctions: String
    package let privileges: String

    /// The statements for one outbox; see ``Statements``.
    package init(schema: String, schemaText: String) {
        func text(_ bytes: [UInt8]) -> String {
            Statements.render(bytes, schema: schema, schemaText: schemaText)
        }
        self.configure = text(PackageResources.configure_migration_sql)
        self.lock = text(PackageResources.lock_migrations_sql)
        self.facts = text(PackageResources.migration_facts_sql)
        self.list = text(PackageResources.list_migrations_sql)
        self.restoreVersions = text(PackageResources.restore_versions_sql)
        self.openFunctions = text(PackageResources.open_functions_sql)
        self.privileges = text(PackageResources.privileges_sql)
    }

    /// What stands before a step that begins with an outbox of some version and that another tool takes.
    ///
    /// - Parameter version: With which it begins.
    package static func beginStep(from version: Int, schema: String, schemaText: String) -> String {
        let numbered = String(decoding: PackageResources.begin_step_sql, as: UTF8.self)
            .split(separator: "{{from}}", omittingEmptySubsequences: false).joined(separator: "\(version)")
        return Statements.render(
            Array(numbered.utf8),
            including: [
                "configure": PackageResources.configure_migration_sql, "lock": PackageResources.lock_migrations_sql,
                "privileges": PackageResources.privileges_sql,
            ], schema: schema, schemaText: schemaText)
    }

    /// What stands behind such a step.
    package static func endStep(schema: String, schemaText: String) -> String {
        Statements.render(
            PackageResources.end_step_sql, including: ["privileges": PackageResources.privileges_sql], schema: schema,
            schemaText: schemaText)
    }
}

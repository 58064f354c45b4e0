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
}

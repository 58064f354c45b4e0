/// The statements of the folder `doctor`.
package struct DoctorStatements: Sendable {
    package let server: String
    package let clock: String
    package let log: String
    package let probe: String
    package let brokenObjects: String
    package let missingGrants: String
    package let xminHolders: String
    package let vacuumOff: String
    package let unpassed: String
    package let locks: String
    package let numbers: String
    package let hiddenRows: String

    /// The statements for one outbox; see ``Statements``.
    package init(schema: String, schemaText: String, columns: (Substring) -> String) {
        func text(_ bytes: [UInt8]) -> String {
            Statements.render(bytes, columns: columns, schema: schema, schemaText: schemaText)
        }
        self.server = text(PackageResources.server_sql)
        self.clock = text(PackageResources.clock_sql)
        self.log = text(PackageResources.log_sql)
        self.probe = text(PackageResources.probe_sql)
        self.brokenObjects = text(PackageResources.broken_objects_sql)
        self.missingGrants = text(PackageResources.missing_grants_sql)
        self.xminHolders = text(PackageResources.xmin_holders_sql)
        self.vacuumOff = text(PackageResources.vacuum_off_sql)
        self.unpassed = text(PackageResources.unpassed_sql)
        self.locks = text(PackageResources.locks_sql)
        self.numbers = Statements.render(
            PackageResources.doctor_numbers_sql, including: InspectionStatements.overlooked, schema: schema,
            schemaText: schemaText)
        self.hiddenRows = text(PackageResources.hidden_rows_sql)
    }
}

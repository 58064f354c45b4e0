/// The statements of the folder `enqueue`.
package struct EnqueueStatements: Sendable {
    package let one: String
    package let many: String
    package let oneIdempotent: String
    package let manyIdempotent: String
    package let expireIdempotencyKeys: String
    package let currentSegment: String
    package let copy: String

    /// The statements for one outbox; see ``Statements``.
    package init(schema: String, schemaText: String, columns: (Substring) -> String) {
        func text(_ bytes: [UInt8]) -> String {
            Statements.render(bytes, columns: columns, schema: schema, schemaText: schemaText)
        }
        self.one = text(PackageResources.enqueue_one_sql)
        self.many = text(PackageResources.enqueue_many_sql)
        self.oneIdempotent = text(PackageResources.enqueue_one_idempotent_sql)
        self.manyIdempotent = text(PackageResources.enqueue_many_idempotent_sql)
        self.expireIdempotencyKeys = text(PackageResources.expire_idempotency_keys_sql)
        self.currentSegment = text(PackageResources.current_segment_sql)
        self.copy = text(PackageResources.copy_messages_sql)
    }
}

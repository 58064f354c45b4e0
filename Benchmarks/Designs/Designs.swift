/// A usual design of an outbox, to compare with. In its statements `{{schema}}` stands for the schema.
package struct Design: Sendable {
    /// What people call it.
    package let name: String
    /// Its table, without the schema.
    package let tableName: String
    /// Creates the table.
    package let table: String
    /// Takes messages; `$1` is how many.
    package let claim: String
    /// Says that messages were delivered; `$1` is an array of their ids.
    package let finish: String
    /// Whether to claim and to finish is one transaction.
    package let isTransaction: Bool
    /// Whether its producers notify. The channel is `status_` and the table's oid.
    package let notifies: Bool

    /// A status column, read with `FOR UPDATE SKIP LOCKED`, and a NOTIFY for each row.
    package static let status = Design(
        name: "status column, SKIP LOCKED", tableName: "status_message",
        table: text(PackageResources.status_table_sql), claim: text(PackageResources.status_claim_sql),
        finish: text(PackageResources.status_finish_sql), isTransaction: true, notifies: true)

    /// A lease by UPDATE, then a DELETE.
    package static let lease = Design(
        name: "lease and delete", tableName: "lease_message",
        table: text(PackageResources.lease_table_sql), claim: text(PackageResources.lease_claim_sql),
        finish: text(PackageResources.lease_finish_sql), isTransaction: false, notifies: false)

    /// Replaces the outbox's own trigger by one that notifies for each row.
    package static let notifyPerRow = text(PackageResources.notify_per_row_sql)

    /// A table of five columns, `plain_message`.
    package static let plainTable = text(PackageResources.plain_table_sql)

    /// The same with a NOTIFY for each row, `notify_message`.
    package static let notifyTable = text(PackageResources.notify_table_sql)

    /// The outbox's log before its baseline was written again, `old_message`.
    package static let oldTable = text(PackageResources.old_table_sql)

    /// A function that inserts in a loop; `{{table}}` stands for the table.
    package static let insertLoop = text(PackageResources.insert_loop_sql)

    private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}

import Outbox

/// A column that a message brings to the table `message`: all that differs from one column to the next, in one place. INSERT,
/// COPY, pages, grants and the column lists in `sql/` are made of it.
///
/// Of a new column, this says how it is written and read; a migration adds it to the three tables and to the function `enqueue`.
struct MessageColumn: Sendable {
    /// What the column has for a message; nil: the database has a default for it, and a producer does not set it.
    typealias Value = @Sendable (NewMessage) -> LibPQValue

    let name: String
    let type: ColumnType
    let value: Value?
    /// Which column of a page it is, where a handler or the relay wants it.
    let position: Int?
    /// Whether it stays with the message while that is deferred or dead.
    let isKept: Bool
    /// Whether the schema's functions `message_is_valid` and `examine_message` check it.
    let isChecked: Bool

    init(
        _ name: String, _ type: ColumnType, position: Int? = nil, isKept: Bool = true, isChecked: Bool = false,
        value: Value? = nil
    ) {
        self.name = name
        self.type = type
        self.value = value
        self.position = position
        self.isKept = isKept
        self.isChecked = isChecked
    }
}

extension MessageColumns {
    /// The columns of this version of the schema. Those that the log has for itself are not of the message: xid, id, segment.
    static let standard = MessageColumns([
        MessageColumn("created_at", .timestamptz, position: PostgresPage.Column.createdAt),
        MessageColumn("destination", .text, isChecked: true) { .text($0.destination.name) },
        MessageColumn("route", .text, position: PostgresPage.Column.text(.route), isChecked: true) {
            $0.route.sqlValue
        },
        MessageColumn("key", .text, position: PostgresPage.Column.text(.key), isChecked: true) { $0.key.sqlValue },
        MessageColumn("headers", .jsonb, position: PostgresPage.Column.text(.headers), isChecked: true) {
            $0.headersJSON.map(LibPQValue.json) ?? .null
        },
        MessageColumn("deliver_at", .timestamptz) { $0.deliverAt.sqlValue },
        MessageColumn("options", .jsonb, position: PostgresPage.Column.text(.options), isChecked: true) {
            $0.options.json.map(LibPQValue.json) ?? .null
        },
        // A page has it at a place of its own, because a statement may hold back a long one.
        MessageColumn("payload", .bytea, isChecked: true) { .bytes($0.payload) },
    ])
}

/// A type of Postgres that a column can have.
struct ColumnType: Sendable {
    /// Its name in `pg_catalog`.
    let name: String
    /// Its oid, for elements of an array.
    let oid: UInt32
    /// The oid of arrays of it.
    let array: UInt32

    static let text = ColumnType(name: "text", oid: PostgresType.text, array: PostgresType.textArray)
    static let jsonb = ColumnType(name: "jsonb", oid: PostgresType.jsonb, array: PostgresType.jsonbArray)
    static let bytea = ColumnType(name: "bytea", oid: PostgresType.bytea, array: PostgresType.byteaArray)
    static let timestamptz = ColumnType(
        name: "timestamptz", oid: PostgresType.timestamptz, array: PostgresType.timestamptzArray)
}

/// Privileges on one of the outbox's objects: what is granted, and what is looked for where it is missing.
struct Grant: Sendable, Hashable {
    /// What kind of object it is.
    enum Kind: String, Sendable {
        case schema = "SCHEMA"
        case table = "TABLE"
        case sequence = "SEQUENCE"
        case function = "FUNCTION"
    }

    /// A privilege, for the whole object or for some columns of it.
    struct Privilege: Sendable, Hashable, ExpressibleByStringLiteral {
        var name: String
        var columns: [String] = []

        init(_ name: String, columns: [String]) {
            self.name = name
            self.columns = columns
        }

        init(_ name: String, _ columns: String...) {
            self.init(name, columns: columns)
        }

        init(stringLiteral name: String) {
            self.name = name
        }

        var text: String { self.columns.isEmpty ? self.name : "\(self.name) (\(self.columns.joined(separator: ", ")))" }
    }

    var privileges: [Privilege]
    var kind: Kind
    /// The object's name in the schema; of the schema, nothing.
    var object: String
    /// The types of a function's parameters, as they are called in `pg_catalog`.
    var parameters: [String] = []
    /// Whether the role cannot do its work without it.
    var isEssential: Bool

    init(_ privileges: Privilege..., on kind: Kind, _ object: String = "", isEssential: Bool = true) {
        self.privileges = privileges
        self.kind = kind
        self.object = object
        self.isEssential = isEssential
    }

    /// To call a function.
    init(execute function: String, of parameters: [String], isEssential: Bool = true) {
        self.init("EXECUTE", on: .function, function, isEssential: isEssential)
        self.parameters = parameters
    }

    init(execute function: String, _ parameters: String..., isEssential: Bool = true) {
        self.init(execute: function, of: parameters, isEssential: isEssential)
    }

    /// The object's whole name. Types are qualified: another tool runs the script, with its own search_path.
    func name(in schema: OutboxSchema) -> String {
        switch self.kind {
        case .schema: return schema.identifier
        case .table, .sequence: return "\(schema.identifier).\(self.object)"
        case .function:
            let parameters = self.parameters.map { "pg_catalog.\($0)" }.joined(separator: ", ")
            return "\(schema.identifier).\(self.object)(\(parameters))"
        }
    }

    /// The statement that grants it to a role, whose name is quoted.
    func statement(to role: String, in schema: OutboxSchema) -> String {
        let kind = self.kind == .table ? "" : self.kind.rawValue + " "
        let privileges = self.privileges.map(\.text).joined(separator: ", ")
        return "GRANT \(privileges) ON \(kind)\(self.name(in: schema)) TO \(role);"
    }
}

extension Grant {
    /// What a producer needs.
    static let producer: [Grant] = [
        Grant("USAGE", on: .schema),
        Grant(
            Privilege("INSERT", columns: ["segment"] + MessageColumns.standard.sent.map(\.name)),
            Privilege("SELECT", "id"), on: .table, "message"),
        // SELECT on the sequence, not USAGE: both let a default read it, but with USAGE a role could advance it.
        Grant("SELECT", on: .sequence, "segment_number"),
        Grant(
            "SELECT", Privilege("INSERT", "destination", "key", "expires_at"),
            Privilege("UPDATE", "message_id", "expires_at"), on: .table, "idempotency"),
        Grant(
            execute: "enqueue", "text", "bytea", "text", "text", "jsonb", "timestamptz", "jsonb", "text", "interval"),
        Grant(execute: "enqueue", "text", "text", "text", "text", "jsonb", "timestamptz", "jsonb", "text", "interval"),
        Grant(
            execute: "enqueue", "text", "jsonb", "text", "text", "jsonb", "timestamptz", "jsonb", "text", "interval"),
        Grant(execute: "enqueue", "text", "json", "text", "text", "jsonb", "timestamptz", "jsonb", "text", "interval"),
        // These say what to cast.
        Grant(
            execute: "enqueue", "text", "anyelement", "anycompatible", "text", "jsonb", "timestamptz", "jsonb", "text",
            "interval"),
        Grant(
            execute: "enqueue", "text", "text", "anyelement", "text", "jsonb", "timestamptz", "jsonb", "text",
            "interval"),
        // What the constraint and the index of the log call. Every role may, unless an administrator has revoked that.
        Grant(execute: "message_is_valid", of: MessageColumns.standard.checked.map(\.type.name)),
        Grant(execute: "examine_message", of: MessageColumns.standard.checked.map(\.type.name)),
        Grant(execute: "slot", "text", "int8"),
    ]

    /// What every role could call after a restore without privileges, and only those may that are granted it.
    static let closed = [
        Grant(execute: "truncate_segment", "int2"), Grant(execute: "stream_lag"),
        Grant(execute: "deferred_lag"), Grant(execute: "last_id"),
        Grant(execute: "skip_ids_after_restart"),
    ]

    /// What a relay or an operator needs.
    static let relay: [Grant] = [
        Grant("USAGE", on: .schema),
        Grant("SELECT", on: .table, "message"),
        Grant(execute: "slot", "text", "int8"),
        Grant("SELECT", on: .table, "migration"),
        Grant("SELECT", "INSERT", "UPDATE", on: .table, "stream"),
        Grant("SELECT", "INSERT", "UPDATE", "DELETE", on: .table, "deferred"),
        Grant("SELECT", "INSERT", "DELETE", on: .table, "dead_letter"),
        // Without these it does not notice that numbers were restarted.
        Grant(execute: "last_id"),
        Grant(execute: "skip_ids_after_restart"),
        // UPDATE (expires_at): a role that locks rows to remove them has to be allowed to update them.
        Grant("SELECT", "DELETE", Privilege("UPDATE", "expires_at"), on: .table, "idempotency", isEssential: false),
        // Without these it delivers, but delivered messages are never removed.
        Grant("SELECT", "INSERT", "UPDATE", on: .table, "segment", isEssential: false),
        Grant("SELECT", "UPDATE", on: .sequence, "segment_number", isEssential: false),
        Grant(execute: "segment_is_passed", "int2", isEssential: false),
        Grant(execute: "truncate_segment", "int2", isEssential: false),
    ]

    /// What a monitor needs: the views, and what the status counts by.
    static let monitor: [Grant] = [
        Grant("USAGE", on: .schema),
        Grant("SELECT", on: .table, "pending"),
        Grant("SELECT", on: .table, "lag"),
        // A role that reads a view has to be allowed to call the view's functions.
        Grant(execute: "stream_lag"),
        Grant(execute: "deferred_lag"),
        Grant(execute: "last_id"),
        Grant(execute: "slot", "text", "int8"),
        Grant(execute: "segment_is_passed", "int2"),
        Grant("SELECT", on: .table, "stream"),
        Grant("SELECT", on: .table, "migration"),
        Grant("SELECT", on: .table, "segment"),
        // The slot is computed from the key and the id.
        Grant(Privilege("SELECT", "xid", "id", "segment", "created_at", "destination", "key"), on: .table, "message"),
        Grant(
            Privilege(
                "SELECT", "subscription", "destination", "id", "key", "created_at", "deliver_at", "attempts",
                "next_attempt_at",
                "ordered", "last_error", "deferred_at"), on: .table, "deferred"),
        Grant(
            Privilege(
                "SELECT", "subscription", "destination", "id", "key", "created_at", "attempts", "reason", "last_error",
                "died_at"),
            on: .table, "dead_letter"),
        Grant("SELECT", on: .sequence, "segment_number"),
    ]
}

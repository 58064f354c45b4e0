import OutboxPostgres

/// Which outbox is looked at, and as whom.
struct LookTarget: Sendable, Hashable {
    var server: LibPQConfiguration
    var schema: OutboxSchema
    var subscription: String
}

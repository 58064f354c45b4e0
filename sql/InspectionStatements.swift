/// The statements of the folder `inspection`.
package struct InspectionStatements: Sendable {
    package let configure: String
    package let version: String
    package let streamStatus: String
    package let unregistered: String
    package let segments: String
    package let relays: String
    package let subscriptions: String
    package let now: String
    package let passed: String
    package let routes: String
    package let findDeadLetter: String
    package let listDeadLetters: String
    package let countDeadLetters: String
    package let replayDeadLetters: String
    package let discardDeadLetters: String
    package let groupDeadLetters: String
    package let findDeferred: String
    package let listDeferred: String
    package let countDeferred: String
    package let retryDeferred: String
    package let discardDeferred: String
    package let groupDeferred: String

    /// What says which messages a stream's cursor has overlooked.
    static var overlooked: [String: [UInt8]] {
        ["overlooked_way": PackageResources.overlooked_way_sql, "overlooked": PackageResources.overlooked_sql]
    }

    /// The statements for one outbox; see ``Statements``.
    package init(schema: String, schemaText: String, columns: (Substring) -> String) {
        func text(_ bytes: [UInt8], including shared: [String: [UInt8]] = [:]) -> String {
            Statements.render(
                bytes, including: shared, columns: columns, schema: schema, schemaText: schemaText)
        }
        func filtered(_ bytes: [UInt8], by filter: [UInt8] = PackageResources.dead_letter_filter_sql) -> String {
            text(bytes, including: ["filter": filter])
        }
        func deferred(_ bytes: [UInt8]) -> String { filtered(bytes, by: PackageResources.deferred_filter_sql) }
        self.configure = text(PackageResources.configure_inspection_sql)
        self.version = text(PackageResources.version_sql)
        self.streamStatus = text(PackageResources.stream_status_sql, including: Self.overlooked)
        self.unregistered = text(PackageResources.unregistered_sql)
        self.segments = text(PackageResources.segments_sql)
        self.relays = text(PackageResources.relays_sql)
        self.subscriptions = text(PackageResources.subscriptions_sql)
        self.now = text(PackageResources.now_sql)
        self.passed = text(PackageResources.passed_sql)
        self.routes = text(PackageResources.routes_sql)
        self.findDeadLetter = text(PackageResources.find_dead_letter_sql)
        self.listDeadLetters = filtered(PackageResources.list_dead_letters_sql)
        self.countDeadLetters = filtered(PackageResources.count_dead_letters_sql)
        self.replayDeadLetters = filtered(PackageResources.replay_dead_letters_sql)
        self.discardDeadLetters = filtered(PackageResources.discard_dead_letters_sql)
        self.groupDeadLetters = filtered(PackageResources.group_dead_letters_sql)
        self.findDeferred = text(PackageResources.find_deferred_sql)
        self.listDeferred = deferred(PackageResources.list_deferred_sql)
        self.countDeferred = deferred(PackageResources.count_deferred_sql)
        self.retryDeferred = deferred(PackageResources.retry_deferred_sql)
        self.discardDeferred = deferred(PackageResources.discard_deferred_sql)
        self.groupDeferred = deferred(PackageResources.group_deferred_sql)
    }
}

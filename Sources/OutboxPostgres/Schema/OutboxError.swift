import OutboxMigrations

/// Why something could not be done with an outbox: what it is, and what to do about it.
///
/// ``description`` can be logged anywhere: it holds neither values nor credentials. A relay's session throws the same kinds of failure as
/// a ``/Outbox/RelayError``, whose ``/Outbox/RelayError/underlying`` is such an error.
public struct OutboxError: Error, Sendable {
    /// What kind of failure it is. More codes may come.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        private enum Kind: String, CaseIterable {
            case schemaName, schemaMissing, schemaOccupied, schemaUnversioned, schemaTooOld, schemaTooNew
            case drift, unknownVersion
            case privilege
            case streamMissing, streamParts, streamBusy, streamUnread
            case subscriptionMissing, subscriptionBusy
        }

        private let kind: Kind

        /// A name cannot be a schema's.
        public static let schemaName = Code(kind: .schemaName)
        /// There is no outbox in the schema.
        public static let schemaMissing = Code(kind: .schemaMissing)
        /// The schema holds tables with the names of an outbox's tables, but they are not an outbox's.
        public static let schemaOccupied = Code(kind: .schemaOccupied)
        /// The tables of an outbox are there, and none of the rows that say which version they are: they came with a dump of
        /// the structure alone, or the rows were removed. ``OutboxMigrator/up(to:on:progress:)`` restores them.
        public static let schemaUnversioned = Code(kind: .schemaUnversioned)
        /// The schema is older than this program needs.
        public static let schemaTooOld = Code(kind: .schemaTooOld)
        /// The schema works with newer programs only.
        public static let schemaTooNew = Code(kind: .schemaTooNew)
        /// What was applied to the schema is not what this program would have applied.
        public static let drift = Code(kind: .drift)
        /// No migration has that version.
        public static let unknownVersion = Code(kind: .unknownVersion)
        /// The role may not do that.
        public static let privilege = Code(kind: .privilege)
        /// The subscription has no stream of the destination.
        public static let streamMissing = Code(kind: .streamMissing)
        /// A destination's streams cannot be divided so.
        public static let streamParts = Code(kind: .streamParts)
        /// A relay did not hand a stream over in time.
        public static let streamBusy = Code(kind: .streamBusy)
        /// Too many messages have not been read for streams to be merged.
        public static let streamUnread = Code(kind: .streamUnread)

        /// There is no subscription of that name.
        public static let subscriptionMissing = Code(kind: .subscriptionMissing)
        /// A relay of the subscription is at work.
        public static let subscriptionBusy = Code(kind: .subscriptionBusy)

        /// The kind's name.
        public var description: String { self.kind.rawValue }

        /// All codes that there are in this version.
        package static var all: [Code] { Kind.allCases.map { Code(kind: $0) } }
    }

    /// What kind of failure it is.
    public let code: Code
    /// What happened and what to do about it, without values or credentials.
    public let message: String
    /// What the client said.
    public let underlying: (any Error)?
    /// The outbox that was used; nil: none was, or it does not matter which.
    package let schema: OutboxSchema?
    /// The file in which the error arose.
    package let file: String
    /// The line in which the error arose.
    package let line: Int

    init(
        _ code: Code, _ message: String, schema: OutboxSchema? = nil, underlying: (any Error)? = nil,
        file: String = #fileID, line: Int = #line
    ) {
        self.code = code
        self.message = message
        self.schema = schema
        self.underlying = underlying
        self.file = file
        self.line = line
    }

    /// Whether the same call may succeed later without any change.
    public var isRetriable: Bool { (self.underlying as? LibPQError)?.isRetriable ?? false }
}

extension OutboxError: CustomStringConvertible, CustomDebugStringConvertible {
    /// What happened and what to do about it.
    public var description: String { self.message }

    /// All that is known, the server's words included.
    public var debugDescription: String {
        let underlying = self.underlying.map { "\n  underlying: \(String(reflecting: $0))" } ?? ""
        return "OutboxError(\(self.code)): \(self.message)\(underlying)\n  at \(self.file):\(self.line)"
    }
}

extension OutboxError {
    /// The same failure with advice on what to do, if there is any.
    ///
    /// - Parameters:
    ///   - error: What a call of the client has thrown.
    ///   - schema: The outbox that was used.
    ///   - task: What the role was used for: "migrate".
    static func explaining(_ error: any Error, schema: OutboxSchema, task: String) -> any Error {
        guard let error = error as? LibPQError, error.sqlState == "42501" else { return error }
        return OutboxError(
            .privilege,
            """
            The role lacks a privilege to \(task) the outbox in the schema \(schema.identifier): \(error). Connect as \
            the schema's owner, or grant the role what it needs.
            """, schema: schema, underlying: error)
    }

    /// The same, where a statement has named nothing but the outbox's own tables.
    static func explainingUse(_ error: any Error, schema: OutboxSchema, task: String) -> any Error {
        // 3F000: no such schema; 42P01: no such table.
        if let error = error as? LibPQError, error.sqlState == "3F000" || error.sqlState == "42P01" {
            return self.missing(schema, underlying: error)
        }
        // No such function, or none with these parameters.
        if let error = error as? LibPQError, error.sqlState == "42883" {
            return OutboxError(
                .schemaTooOld,
                "The outbox in the schema \(schema.identifier) is older than this program. Bring it up to date.",
                schema: schema, underlying: error)
        }
        return self.explaining(error, schema: schema, task: task)
    }

    static func unknown(_ version: Int, of known: [Migrations.File], _ schema: OutboxSchema) -> OutboxError {
        let known = known.map { "\($0.version)" }.joined(separator: ", ")
        return OutboxError(
            .unknownVersion, "There is no migration \(version). Known versions: \(known).", schema: schema)
    }

    static func missing(_ schema: OutboxSchema, underlying: (any Error)? = nil) -> OutboxError {
        OutboxError(
            .schemaMissing,
            "There is no outbox in the schema \(schema.identifier) of this database. Create it, or name another schema.",
            schema: schema, underlying: underlying)
    }

    static func unversioned(_ schema: OutboxSchema) -> OutboxError {
        OutboxError(
            .schemaUnversioned,
            """
            The table \(schema.identifier).migration is empty, so the version of the outbox is not known: it came with a dump of \
            the structure alone, or its rows were removed. Migrating restores them.
            """, schema: schema)
    }

    static func outdated(_ schema: OutboxSchema, version: Int, needed: Int) -> OutboxError {
        OutboxError(
            .schemaTooOld,
            """
            The schema \(schema.identifier) is at version \(version), older than this program, which needs \(needed). Bring it \
            up to date.
            """, schema: schema)
    }

    static func newer(_ schema: OutboxSchema, version: Int, known: Int) -> OutboxError {
        OutboxError(
            .schemaTooNew,
            """
            The schema \(schema.identifier) is at version \(version), which works with newer programs only; this one knows \
            \(known). Update the program.
            """, schema: schema)
    }
}

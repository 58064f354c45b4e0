/// What the client knows about the condition codes of Postgres (appendix A of its manual).
enum SQLState {
    static let queryCanceled = "57014"
    static let divisionByZero = "22012"
    static let featureNotSupported = "0A000"
    static let invalidStatementName = "26000"
    static let lockNotAvailable = "55P03"
    static let readOnlyTransaction = "25006"
    static let insufficientPrivilege = "42501"
    /// A full queue of notifications, among other limits.
    static let programLimitExceeded = "54000"

    static func isRetriable(_ state: String) -> Bool {
        switch state {
        case "40001", "40P01", "55P03", "57P01", "57P02", "57P03", "57P05", "25P03", "25P04", self.readOnlyTransaction:
            true
        default: state.hasPrefix("08") || state.hasPrefix("53")
        }
    }

    /// Whether the server's message holds names of things at most, never data.
    static func hasHarmlessMessage(_ state: String) -> Bool {
        harmlessClasses.contains(String(state.prefix(2)))
    }

    private static let harmlessClasses: Set = [
        "08", "0A", "23", "25", "28", "3D", "3F", "40", "42", "53", "54", "55", "57", "58",
    ]

    /// What happened, in plain words, and what to do about it.
    static func explanation(_ state: String) -> String? {
        switch state {
        case "28P01": "the password is missing or wrong, or the user does not exist"
        case "28000":
            "the server does not admit this user from here; see pg_hba.conf, and whether the server wants TLS (sslmode=require)"
        case "3D000": "the database does not exist; check dbname"
        case "3F000": "the schema does not exist"
        case "42501": "the user lacks a privilege for this; GRANT it, or connect as another user"
        case "42P01": "a table does not exist; check the search_path and whether the migrations have been applied"
        case "42703": "a column does not exist; check whether the migrations have been applied"
        case "42601": "the statement has a syntax error"
        case "40001": "the transaction collided with another; run it again"
        case "40P01": "the transaction was part of a deadlock; run it again"
        case "25P02": "an earlier statement of the transaction failed, so all that remains is to roll it back"
        case "25006":
            """
            the transaction is read-only, or the server is a standby; with several hosts in the connection string, \
            target_session_attrs=read-write finds the one that takes writes
            """
        case "54000":
            "a limit of the server is exceeded; if it says that the NOTIFY queue is full, a session that listens does not read: end it, or SET outbox.doorbell = 'off' where you enqueue"
        case "53300": "the server has no connection left; raise max_connections or use fewer"
        case "53100": "the server's disk is full"
        case "53200": "the server is out of memory"
        case "55P03": "a lock was not available in time"
        case "57014": "the statement was cancelled, by statement_timeout or by an administrator"
        case "57P01": "an administrator ended the session, or the server is being shut down"
        case "57P02": "the server crashed in another session and is recovering"
        case "57P03": "the server is starting up, shutting down or recovering; try again later"
        case "2BP01": "other objects depend on it: drop those first; DROP … in psql says which they are"
        case "23505": "a row with the same unique key exists"
        case "23503": "a foreign key was violated"
        case "23502": "a column that must have a value was left NULL"
        case "23514": "a check constraint was violated"
        case "22P05": "a character does not exist in the encoding of the database"
        case "22008": "a date or time is out of range"
        case "42P05":
            """
            a prepared statement of that name exists: a pooler in transaction mode has given a session away that has it; set \
            usesPreparedStatements to false, or use PgBouncer 1.21 or later with \
            max_prepared_statements
            """
        case "22021": "a text is not valid in the encoding of the database"
        case "22P03": "a value does not have the binary form of the type that the statement expects"
        case "26000":
            """
            the prepared statement is gone: a pooler in transaction mode has changed the session, or DEALLOCATE has removed it; behind \
            a pooler set usesPreparedStatements to false, or use PgBouncer 1.21 or later with \
            max_prepared_statements
            """
        default: nil
        }
    }
}

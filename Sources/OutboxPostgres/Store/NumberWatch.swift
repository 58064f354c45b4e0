import Outbox
import OutboxSQL

/// Whether the log's ids have begun again since the session last looked.
struct NumberWatch {
    /// The last id when it was looked at.
    private var lastID: Int64 = 0
    /// Where the ids' sequence is stored.
    private var filenode: Int64 = 0
    /// Whether to look before the next read: a stream is going to be read from a cursor that was stored some time ago.
    var isDue = false

    mutating func began(lastID: Int64, filenode: Int64) {
        (self.lastID, self.filenode) = (lastID, filenode)
    }

    /// The statement that fails where ids have begun again.
    func haveRisen(_ statements: Statements) -> LibPQStatement {
        let statement = statements.idsHaveRisen
        return LibPQStatement(statement.text, [.int8(self.lastID), .int8(self.filenode)], name: statement.name)
    }

    /// Takes over what it has returned.
    mutating func haveRisen(_ result: LibPQResult) throws(LibPQError) {
        self.lastID = try result[0].decode(0)
    }

    static let idsBeganAgain = RelayError(
        .logChanged,
        "The log's ids have begun again while a relay was reading it; the cursors are looked at by a new session.")
}

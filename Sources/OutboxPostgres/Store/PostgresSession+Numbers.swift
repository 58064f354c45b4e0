import Logging
import Outbox
import OutboxSQL

/// What becomes of a session whose server, or whose administrator, has let numbers begin again.
extension PostgresSession {
    /// What is known of the log's numbers.
    struct Numbers {
        /// The last id that was drawn; 0: none.
        let lastID: Int64
        /// Whether ids rise with the numbers of transactions.
        let rise: Bool
        /// Where their sequence is stored.
        let filenode: Int64
    }

    /// Looks at the log's numbers before the cursors are trusted, and lets the ids jump ahead where the server was started since a
    /// relay last began.
    ///
    /// - Throws: ``/Outbox/RelayError`` where ids fall, so that there is no order; ``LibPQError``.
    func checkNumbers() async throws -> Numbers {
        let row = try await self.connection.query(self.bound(self.statements.numbers))[0]
        if let skipped = try row.decode("to_id", as: Int64?.self) {
            self.logger.notice(
                "The server was started again, or is another one; ids go on further ahead, so that none is given twice",
                metadata: ["outbox.id": "\(skipped)"])
        }
        guard let increment = try row.decode("increment", as: Int64?.self) else {
            throw RelayError(
                .log,
                """
                The column id of \(self.schema.identifier).message draws from no sequence of its own, so messages cannot be numbered. \
                Restore it from the migration that made it.
                """)
        }
        if increment < 0 {
            throw RelayError(
                .log,
                """
                The ids of \(self.schema.identifier).message fall, so messages have no order. Let them rise: \
                ALTER TABLE \(self.schema.identifier).message ALTER id SET INCREMENT BY 1
                """)
        }
        let rise = try row.decode("ids_rise", as: Bool.self)
        if !rise {
            self.logger.error(
                """
                Sessions draw the log's ids in advance, so the messages of a key may be delivered in another order than they were \
                committed in, and no segment is emptied
                """,
                metadata: [
                    "outbox.remedy":
                        "ALTER TABLE \(self.schema.identifier).message ALTER id SET CACHE 1; then end the sessions that have drawn ids"
                ])
        }
        return Numbers(lastID: try row.decode("last_id"), rise: rise, filenode: try row.decode("filenode"))
    }

    /// Makes sure that ids have not begun again.
    func checkIDs() async throws(RelayError) {
        do throws(LibPQError) {
            try self.numbers.haveRisen(try await self.connection.query(self.numbers.haveRisen(self.statements)))
        } catch {
            throw error.sqlState == SQLState.divisionByZero ? NumberWatch.idsBeganAgain : RelayError(error)
        }
    }

    /// Tells that a cursor was mended.
    func tellOfRestart(_ destination: String, cause: String) {
        let what =
            switch cause {
            case "server":
                """
                The cursor was taken from a server whose transaction numbers were higher, and messages may have come since that it \
                does not know; all of them are read, and some may be delivered again
                """
            case "ids": "The log's ids have begun again below the cursor; what came since then is read"
            default: "Ids of the log do not rise with the numbers of transactions; what came since the cursor is read"
            }
        self.logger.warning("\(what)", metadata: ["outbox.destination": "\(destination)"])
    }
}

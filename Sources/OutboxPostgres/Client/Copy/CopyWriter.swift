/// Takes the data of a `COPY … FROM STDIN` that is running.
public struct CopyWriter: Sendable {
    let connection: Connection
    let exchange: Int

    /// Sends bytes in the format of the `COPY`; they need not end where a row does. Suspends while the network has no room.
    ///
    /// - Throws: ``PostgresError/Code/cancelled``, ``PostgresError/Code/connectionLost``; ``PostgresError/Code/copy`` if the `COPY`
    ///   has ended. What the server thinks of the data is heard only at the end.
    public func write(_ bytes: [UInt8]) async throws(PostgresError) {
        try await connection.writeCopy(bytes, exchange: exchange)
    }

    /// Sends text in the format of the `COPY`; see ``write(_:)-([UInt8])``.
    public func write(_ text: String) async throws(PostgresError) {
        try await connection.writeCopy(Array(text.utf8), exchange: exchange)
    }
}

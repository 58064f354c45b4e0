/// Takes the data of a `COPY … FROM STDIN` that is running.
package struct CopyWriter: Sendable {
    let connection: LibPQConnection
    let exchange: Int

    /// Sends bytes in the format of the `COPY`; they need not end where a row does. Suspends while the network has no room.
    ///
    /// - Throws: ``LibPQError/Code/cancelled``, ``LibPQError/Code/connectionLost``; ``LibPQError/Code/copy`` if the `COPY`
    ///   has ended. What the server thinks of the data is heard only at the end.
    package func write(_ bytes: [UInt8]) async throws(LibPQError) {
        try await connection.writeCopy(bytes, exchange: exchange)
    }

    /// Sends text in the format of the `COPY`; see ``write(_:)-([UInt8])``.
    package func write(_ text: String) async throws(LibPQError) {
        try await connection.writeCopy(Array(text.utf8), exchange: exchange)
    }
}

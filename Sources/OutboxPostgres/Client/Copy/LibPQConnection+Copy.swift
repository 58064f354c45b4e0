internal import CLibPQ
internal import Logging

extension LibPQConnection {
    /// Runs a `COPY … FROM STDIN` with the data of a sequence, no faster than the server takes it.
    ///
    /// - Returns: the number of rows that were copied.
    /// - Throws: as ``copyIn(_:write:)``, and what `chunks` throws.
    @discardableResult
    package nonisolated func copyIn<Chunks: AsyncSequence>(
        _ statement: String, from chunks: Chunks
    ) async throws -> Int where Chunks.Element == [UInt8] {
        try await copyIn(statement) { writer in
            for try await chunk in chunks { try await writer.write(chunk) }
        }
    }

    /// Runs a `COPY … FROM STDIN` with the data that `write` writes, no faster than the server takes it.
    ///
    /// `write` runs where the caller runs and must not use this connection otherwise. If it throws, nothing is copied.
    ///
    /// - Returns: the number of rows that were copied.
    /// - Throws: what `write` throws; ``LibPQError/Code/server`` if the server refused the statement or, once `write` is done, the data;
    ///   ``LibPQError/Code/copy`` if the statement is none that takes data.
    @discardableResult
    package nonisolated func copyIn(_ statement: String, write: (CopyWriter) async throws -> Void) async throws -> Int {
        let writer = CopyWriter(connection: self, exchange: try await startCopy(statement))
        do {
            try await Self.$copying.withValue(Self.copying.union([ObjectIdentifier(self)])) {
                try await write(writer)
            }
        } catch {
            await abandonCopy(exchange: writer.exchange)
            throw error
        }
        return try await finishCopy(exchange: writer.exchange)
    }
}

// MARK: The exchange

extension LibPQConnection {
    /// How many bytes libpq may hold before the writer has to wait.
    private static let copyBufferSize = 1 << 16

    /// Takes the turn and keeps it if the server is ready for data.
    private func startCopy(_ statement: String) async throws(LibPQError) -> Int {
        guard !statement.utf8.contains(0) else { throw Self.containsNull("the statement") }
        try await takeTurn(isShielded: false)
        do throws(LibPQError) {
            try await cleanUp()
            try leavePipelineMode()
            let connection = try unsafe requireLink()
            exchange.statements = [LibPQStatement(statement)]
            guard unsafe PQsendQuery(connection, statement) == 1 else { throw connectionLost() }
            guard let result = try await nextResult() else {
                throw LibPQError(.copy, "the statement is empty")
            }
            if result.status == PGRES_COPY_IN {
                copyBytesSinceFlush = 0
                return exchange.id
            }
            throw try await refuseCopy(result)
        } catch {
            await endTurn()
            throw error
        }
    }

    /// Reads to the end what was not a `COPY … FROM STDIN`.
    private func refuseCopy(_ first: consuming ResultHandle) async throws(LibPQError) -> LibPQError {
        var error = LibPQError(.copy, "the statement is not a COPY … FROM STDIN")
        switch first.status {
        case PGRES_FATAL_ERROR:
            error = failure(first)
            if let loss { throw loss }
        case PGRES_COPY_OUT, PGRES_COPY_BOTH:
            lose(LibPQError(.copy, "COPY … TO STDOUT is not supported; the connection had to be closed"))
        default: break
        }
        while let result = try await nextResult() {
            if result.status == PGRES_COPY_IN {
                try await endCopy(refusing: "not expected")
            }
        }
        return error
    }

    func writeCopy(_ bytes: [UInt8], exchange id: Int) async throws(LibPQError) {
        try requireCopy(id)
        var sent = 0
        while sent < bytes.count {
            let connection = try unsafe requireLink()
            let count = min(bytes.count - sent, Self.copyBufferSize)
            let status = unsafe bytes.withUnsafeBytes { bytes in
                unsafe PQputCopyData(
                    connection, bytes.baseAddress!.assumingMemoryBound(to: CChar.self) + sent, CInt(count))
            }
            guard status == 1 else { throw connectionLost() }
            sent += count
            copyBytesSinceFlush += count
            if copyBytesSinceFlush >= Self.copyBufferSize {
                copyBytesSinceFlush = 0
                try await drain()
            }
        }
        if Task.isCancelled { cancelExchange(id) }
        if exchange.cancel.isRequested {
            throw LibPQError(.cancelled, "the COPY was cancelled because its task was")
        }
    }

    /// Tells the server that the data is complete, and waits for its opinion.
    private func finishCopy(exchange id: Int) async throws(LibPQError) -> Int {
        try requireCopy(id)
        let outcome: Result<Int, LibPQError>
        do throws(LibPQError) {
            try await endCopy(refusing: nil)
            outcome = .success(try await readCopyResult())
        } catch {
            outcome = .failure(error)
        }
        await endTurn()
        return try outcome.get()
    }

    /// Makes the server forget what it has got. The caller has an error to throw, which explains more than any that arises here.
    private func abandonCopy(exchange id: Int) async {
        guard exchange.id == id else { return }
        exchange.isShielded = true
        do throws(LibPQError) {
            try await endCopy(refusing: "the client gave up")
            _ = try await readCopyResult()
        } catch {
            logger.trace("COPY abandoned", metadata: ["postgres.reason": "\(error)"])
        }
        await endTurn()
    }

    private func endCopy(refusing reason: String?) async throws(LibPQError) {
        while true {
            let connection = try unsafe requireLink()
            switch unsafe PQputCopyEnd(connection, reason) {
            case 1: return
            case 0:
                exchange.needsFlush = true
                try await waitForSocket()
            default: throw connectionLost()
            }
        }
    }

    private func readCopyResult() async throws(LibPQError) -> Int {
        var rowCount = 0
        var firstError: LibPQError?
        while let result = try await nextResult() {
            switch result.status {
            case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY:
                if result.commandTag == .copy { rowCount = LibPQResult(result).affectedRows }
            case PGRES_COPY_IN:
                // A second statement that wants data, which the caller has no more of.
                firstError = firstError ?? LibPQError(.copy, "the text has more than one statement")
                try await endCopy(refusing: "not expected")
            case PGRES_COPY_OUT, PGRES_COPY_BOTH:
                let error = LibPQError(.copy, "COPY … TO STDOUT is not supported; the connection had to be closed")
                lose(error)
                throw error
            default:
                firstError = firstError ?? failure(result)
                if let loss { throw loss }
            }
        }
        if let firstError { throw firstError }
        return rowCount
    }

    /// Waits until the socket has taken everything.
    private func drain() async throws(LibPQError) {
        while true {
            try flush()
            guard exchange.needsFlush else { return }
            try await waitForSocket()
        }
    }

    private func requireCopy(_ id: Int) throws(LibPQError) {
        if let loss { throw loss }
        guard exchange.id == id else { throw LibPQError(.copy, "the COPY has ended") }
        guard !exchange.isWaiting else {
            throw LibPQError(.copy, "the writes of a COPY come one after the other, and this one overlaps another")
        }
    }
}

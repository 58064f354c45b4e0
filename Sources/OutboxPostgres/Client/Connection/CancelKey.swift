internal import CLibPQ

/// What it takes to ask the server to cancel what a connection is doing.
@safe final class CancelKey: Sendable {
    /// libpq documents `PGcancel` as usable from other threads: nothing ever changes it.
    private nonisolated(unsafe) let pointer: OpaquePointer

    /// - Returns: `nil` if libpq has no memory left.
    init?(_ link: borrowing ServerLink) {
        guard let connection = unsafe link.pointer, let pointer = unsafe PQgetCancel(connection) else { return nil }
        unsafe self.pointer = unsafe pointer
    }

    deinit {
        unsafe PQfreeCancel(pointer)
    }

    /// Sends the request over a connection of its own and blocks until the server has passed it on. A failure changes nothing: the
    /// caller will find that the statement still runs.
    func sendRequest() {
        unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { complaint in
            _ = unsafe PQcancel(pointer, complaint.baseAddress, CInt(complaint.count))
        }
    }
}

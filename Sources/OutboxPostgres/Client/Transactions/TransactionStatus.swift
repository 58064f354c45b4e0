internal import CLibPQ

/// Where a session stands between two statements.
package enum TransactionStatus: Sendable, Hashable {
    /// Outside of a transaction.
    case idle
    /// In a transaction.
    case open
    /// In a transaction that a statement has failed in; all it can do is roll back.
    case failed
    /// A statement is running, or the connection is gone.
    case unknown
}

extension LibPQConnection {
    /// Where the session stands, as of the last answer of the server.
    package var transactionStatus: TransactionStatus {
        guard let connection = unsafe link.pointer else { return .unknown }
        return switch unsafe PQtransactionStatus(connection) {
        case PQTRANS_IDLE: .idle
        case PQTRANS_INTRANS: .open
        case PQTRANS_INERROR: .failed
        default: .unknown
        }
    }
}

internal import CLibPQ
internal import Logging

/// What the server says without being asked: notices, which are logged, and the reason for which it ends an idle session, which is
/// kept for the error to come.
final class NoticeReceiver {
    private let logger: Logger
    /// Set just before the connection is lost.
    private(set) var lastFatal: ServerReport?

    init(logger: Logger) {
        self.logger = logger
    }

    /// libpq calls this while it is being called itself, so on the thread that owns the connection; `argument` is the receiver, which
    /// the ``ServerLink`` keeps alive for as long as libpq knows it.
    static let callback: @convention(c) (UnsafeMutableRawPointer?, OpaquePointer?) -> Void = { argument, result in
        guard let argument = unsafe argument, let result = unsafe result else { return }
        let receiver = unsafe Unmanaged<NoticeReceiver>.fromOpaque(argument).takeUnretainedValue()
        unsafe receiver.receive(ServerReport(result: result))
    }

    private func receive(_ report: ServerReport) {
        if report.isFatal { lastFatal = report }
        logger.debug(
            "notice from the server",
            metadata: [
                "postgres.severity": "\(report.severity ?? "")",
                "postgres.sqlstate": "\(report.sqlState ?? "")",
                "postgres.message": "\(report.message)",
            ])
    }
}

internal import CLibPQ
internal import Logging

/// Owns a `PGconn`. Used by one thread at a time: the one that connects, then the loop's.
@safe struct ServerLink: ~Copyable {
    /// `nil` once closed.
    private(set) var pointer: OpaquePointer?
    /// Referenced by `pointer` until it is freed, hence kept here.
    let notices: NoticeReceiver

    /// Takes over `pointer`.
    init(owning pointer: OpaquePointer, notices: NoticeReceiver) {
        unsafe self.pointer = unsafe pointer
        self.notices = notices
        unsafe PQsetNoticeReceiver(pointer, NoticeReceiver.callback, Unmanaged.passUnretained(notices).toOpaque())
    }

    deinit {
        // Says goodbye if the socket takes it, and does not wait.
        if let pointer = unsafe pointer { unsafe PQfinish(pointer) }
    }

    mutating func close() {
        guard let open = unsafe pointer else { return }
        unsafe pointer = nil
        unsafe PQfinish(open)
    }
}

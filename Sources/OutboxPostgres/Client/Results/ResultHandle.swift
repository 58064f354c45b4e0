internal import CLibPQ

/// Owns a `PGresult`.
@safe struct ResultHandle: ~Copyable {
    let pointer: OpaquePointer

    /// Takes over `pointer`.
    init(owning pointer: OpaquePointer) {
        unsafe self.pointer = unsafe pointer
    }

    deinit {
        unsafe PQclear(pointer)
    }

    /// Gives up the pointer; the caller frees it.
    consuming func release() -> OpaquePointer {
        let pointer = unsafe pointer
        discard self
        return unsafe pointer
    }

    var status: ExecStatusType { unsafe PQresultStatus(pointer) }
}

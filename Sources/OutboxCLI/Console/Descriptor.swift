#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// An open file, by its number. It does not own it.
struct Descriptor: Sendable {
    let number: Int32

    init(_ number: Int32) {
        self.number = number
    }

    /// Why reading or writing failed.
    struct Failure: Error {
        let code: Int32
        /// How much had been written before.
        var written = 0

        /// Whether the reader of a pipe has gone.
        var isBrokenPipe: Bool { self.code == EPIPE }
        var reason: String { unsafe String(cString: strerror(self.code)) }
    }

    /// Writes all of it, waiting while there is no room.
    ///
    /// - Returns: Why not all of it was written; nil: it was.
    func writeAll(_ bytes: ArraySlice<UInt8>) -> Failure? {
        unsafe bytes.withUnsafeBytes { buffer in
            var written = 0
            while written < buffer.count {
                let count = unsafe write(
                    self.number, buffer.baseAddress.map { unsafe $0 + written }, buffer.count - written)
                if count >= 0 {
                    written += count
                } else if errno == EAGAIN {
                    self.wait(for: Int16(POLLOUT))
                } else if errno != EINTR {
                    return Failure(code: errno, written: written)
                }
            }
            return nil
        }
    }

    /// Reads what there is, at most `limit` bytes, waiting for the first. Empty: the end.
    func read(upTo limit: Int) throws(Failure) -> [UInt8] {
        var bytes: [UInt8] = []
        while true {
            var failure: Int32 = 0
            bytes = unsafe [UInt8](unsafeUninitializedCapacity: limit) { buffer, filled in
                #if canImport(Darwin)
                let count = unsafe Darwin.read(self.number, buffer.baseAddress, limit)
                #elseif canImport(Musl)
                let count = unsafe Musl.read(self.number, buffer.baseAddress, limit)
                #else
                let count = unsafe Glibc.read(self.number, buffer.baseAddress, limit)
                #endif
                filled = max(count, 0)
                if count < 0 { failure = errno }
            }
            switch failure {
            case 0: return bytes
            case EINTR: continue
            case EAGAIN: self.wait(for: Int16(POLLIN))
            default: throw Failure(code: failure)
            }
        }
    }

    /// Why a file cannot be written, or created, found out without touching it; nil: it can.
    static func defect(ofFile path: String) -> String? {
        if unsafe access(path + "/", F_OK) == 0 { return Failure(code: EISDIR).reason }
        if unsafe access(path, R_OK | W_OK) == 0 { return nil }
        let failure = Failure(code: errno)
        guard failure.code == ENOENT else { return failure.reason }
        let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
        return unsafe access(folder, W_OK | X_OK) == 0 ? nil : Failure(code: errno).reason
    }

    private func wait(for events: Int16) {
        var poll = pollfd(fd: self.number, events: events, revents: 0)
        #if canImport(Darwin)
        _ = unsafe Darwin.poll(&poll, 1, -1)
        #elseif canImport(Musl)
        _ = unsafe Musl.poll(&poll, 1, -1)
        #else
        _ = unsafe Glibc.poll(&poll, 1, -1)
        #endif
    }
}

import Foundation

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The two ends of a stream socket: ours, and the one that becomes the shell's input and output.
///
/// A socket rather than pipes because writing to it when the shell has ended is an error, not a SIGPIPE that ends this
/// process. Both ends are closed in other children from the moment they exist: one that inherited ours would keep the
/// server alive after us.
struct SupervisorChannel {
    let ours: FileHandle
    let theirs: FileHandle

    init() throws(EphemeralServerError) {
        var ends: [Int32] = [-1, -1]
        guard unsafe socketpair(AF_UNIX, Self.streamClosedOnExec, 0, &ends) == 0 else {
            throw EphemeralServerError(.initialisationFailed, "No socket could be made: error \(errno).")
        }
        #if canImport(Darwin)
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            var on: Int32 = 1
            _ = unsafe setsockopt(end, SOL_SOCKET, SO_NOSIGPIPE, &on, socklen_t(MemoryLayout<Int32>.size))
        }
        #endif
        ours = FileHandle(fileDescriptor: ends[0], closeOnDealloc: true)
        theirs = FileHandle(fileDescriptor: ends[1], closeOnDealloc: true)
    }

    /// Sends all of `bytes`; `false` when the other end is closed.
    static func send(_ bytes: [UInt8], to end: FileHandle) -> Bool {
        var remaining = bytes[...]
        while !remaining.isEmpty {
            let sent = unsafe remaining.withUnsafeBytes {
                unsafe Foundation.send(end.fileDescriptor, $0.baseAddress, $0.count, noSignal)
            }
            if sent > 0 {
                remaining.removeFirst(sent)
            } else if sent == 0 || errno != EINTR {
                return false
            }
        }
        return true
    }

    /// Tells the other end that nothing more will come; what it sends can still be read.
    static func finishSending(to end: FileHandle) {
        #if canImport(Glibc)
        _ = shutdown(end.fileDescriptor, Int32(SHUT_WR))
        #else
        _ = shutdown(end.fileDescriptor, SHUT_WR)
        #endif
    }

    #if canImport(Glibc)
    private static let streamClosedOnExec = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
    private static let noSignal = Int32(MSG_NOSIGNAL)
    #elseif canImport(Musl)
    private static let streamClosedOnExec = SOCK_STREAM | SOCK_CLOEXEC
    private static let noSignal = Int32(MSG_NOSIGNAL)
    #else
    private static let streamClosedOnExec = SOCK_STREAM
    private static let noSignal: Int32 = 0
    #endif
}

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// What can be done with a socket without blocking.
enum SocketState {
    /// - Returns: Whether there is something to read, and whether a third of what can be buffered for sending is free.
    static func poll(_ descriptor: CInt) -> (isReadable: Bool, isWritable: Bool) {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN) | Int16(POLLOUT), revents: 0)
        guard unsafe systemPoll(&entry, 1, 0) > 0 else { return (false, false) }
        // An error is found out by reading.
        let hasFailed = CInt(entry.revents) & (POLLERR | POLLHUP | POLLNVAL) != 0
        return (hasFailed || CInt(entry.revents) & POLLIN != 0, !hasFailed && CInt(entry.revents) & POLLOUT != 0)
    }

    /// Waits until the pipe or the socket has something, or the socket takes something.
    ///
    /// - Returns: Whether the pipe has something, and whether the socket has.
    static func wait(
        pipe: CInt, socket: CInt?, forWriting: Bool, milliseconds: CInt
    ) -> (pipe: Bool, socket: Bool) {
        let events = forWriting ? Int16(POLLIN) | Int16(POLLOUT) : Int16(POLLIN)
        // A negative descriptor is passed over.
        var entries = (
            pollfd(fd: pipe, events: Int16(POLLIN), revents: 0), pollfd(fd: socket ?? -1, events: events, revents: 0)
        )
        let ready = unsafe withUnsafeMutableBytes(of: &entries) { bytes in
            unsafe systemPoll(bytes.assumingMemoryBound(to: pollfd.self).baseAddress!, 2, milliseconds)
        }
        if ready <= 0 { return (false, false) }
        return (entries.0.revents != 0, entries.1.revents != 0)
    }

    /// - Returns: Whether it is, or has failed.
    static func waitUntilWritable(_ descriptor: CInt, milliseconds: CInt) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        return unsafe systemPoll(&entry, 1, milliseconds) > 0
    }

    /// Makes room for at least that many bytes to be sent, as far as the system allows it.
    static func widen(_ descriptor: CInt, to count: Int) {
        var size: CInt = 0
        var length = socklen_t(MemoryLayout<CInt>.size)
        guard unsafe getsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &size, &length) == 0, Int(size) < count else {
            return
        }
        size = CInt(count)
        unsafe _ = setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &size, length)
    }

    /// Ends whatever another thread does with the socket.
    static func shutDown(_ descriptor: CInt) {
        #if canImport(Glibc)
        _ = shutdown(descriptor, Int32(SHUT_RDWR))
        #else
        _ = shutdown(descriptor, SHUT_RDWR)
        #endif
    }

    private static func systemPoll(
        _ entries: UnsafeMutablePointer<pollfd>, _ count: Int, _ milliseconds: CInt
    ) -> CInt {
        #if canImport(Darwin)
        unsafe Darwin.poll(entries, nfds_t(count), milliseconds)
        #elseif canImport(Glibc)
        unsafe Glibc.poll(entries, nfds_t(count), milliseconds)
        #else
        unsafe Musl.poll(entries, nfds_t(count), milliseconds)
        #endif
    }
}

import CCurl

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The sockets that libcurl waits for, and what for.
///
/// On Linux what is ready is told by epoll, so that thousands of sockets on which nothing happens cost nothing.
struct SocketWatch: ~Copyable {
    /// What a socket is ready for.
    struct Event {
        let socket: CInt
        var isReadable = false
        var isWritable = false
        var hasFailed = false

        /// In libcurl's bits.
        var mask: CInt {
            (self.isReadable ? CURL_CSELECT_IN : 0) | (self.isWritable ? CURL_CSELECT_OUT : 0)
                | (self.hasFailed ? CURL_CSELECT_ERR : 0)
        }
    }

    #if os(Linux)
    private struct Interest: Equatable {
        var isForReading = false
        var isForWriting = false
        var isNone: Bool { !self.isForReading && !self.isForWriting }
    }

    private struct Watched {
        var wanted = Interest()
        /// What the system was told last; nil: nothing that still counts.
        var told: Interest?
        /// Whether it is one of those of which it is told when they are closed; others are libcurl's own.
        var isKnown = false
    }

    private let poll: CInt
    /// By the number of the socket, which is always one of the lowest that are free.
    private var sockets: [Watched] = []
    private var ready = [outbox_ready_socket](repeating: outbox_ready_socket(), count: 64)

    init?() {
        self.poll = outbox_epoll_create()
        if self.poll < 0 { return nil }
    }

    deinit { close(self.poll) }

    private mutating func place(of socket: CInt) -> Int {
        let place = Int(socket)
        if place >= self.sockets.count {
            self.sockets += Array(repeating: Watched(), count: place + 1 - self.sockets.count)
        }
        return place
    }

    /// Watches a socket; neither: no more.
    //
    // libcurl says so at the end of each request, and the next one on the connection begins with the same: the system is told only
    // if something comes in between.
    mutating func watch(_ socket: CInt, forReading: Bool, forWriting: Bool) {
        if socket < 0 { return }
        let place = self.place(of: socket)
        let interest = Interest(isForReading: forReading, isForWriting: forWriting)
        let told = self.sockets[place].told
        self.sockets[place].wanted = interest
        if interest == told || interest.isNone && (told == nil || self.sockets[place].isKnown) { return }
        outbox_epoll_watch(self.poll, socket, forReading ? 1 : 0, forWriting ? 1 : 0, told == nil ? 0 : 1)
        self.sockets[place].told = interest.isNone ? nil : interest
    }

    /// There is a socket of which ``forget(_:)`` will tell that it is closed.
    mutating func know(_ socket: CInt) {
        // Whatever had its number is closed.
        self.sockets[self.place(of: socket)] = Watched(isKnown: true)
    }

    /// A socket is closed, of which the system knows.
    mutating func forget(_ socket: CInt) { self.sockets[self.place(of: socket)] = Watched() }

    /// Waits until something is ready, that many milliseconds at most; less than 0: without an end.
    mutating func wait(_ milliseconds: CInt, into events: inout [Event]) {
        let count = unsafe outbox_epoll_wait(self.poll, &self.ready, CInt(self.ready.count), milliseconds)
        events.removeAll(keepingCapacity: true)
        for socket in self.ready.prefix(max(0, Int(count))) {
            let place = self.place(of: socket.socket)
            if self.sockets[place].wanted.isNone {
                outbox_epoll_watch(self.poll, socket.socket, 0, 0, 1)
                self.sockets[place].told = nil
                continue
            }
            events.append(
                Event(
                    socket: socket.socket, isReadable: socket.is_readable != 0, isWritable: socket.is_writable != 0,
                    hasFailed: socket.has_failed != 0))
        }
    }
    #else
    private var entries: [CInt: pollfd] = [:]

    init?() {}

    /// Watches a socket; neither: no more.
    mutating func watch(_ socket: CInt, forReading: Bool, forWriting: Bool) {
        let events = (forReading ? Int16(POLLIN) : 0) | (forWriting ? Int16(POLLOUT) : 0)
        self.entries[socket] = events == 0 ? nil : pollfd(fd: socket, events: events, revents: 0)
    }

    /// There is a socket of which ``forget(_:)`` will tell that it is closed.
    mutating func know(_ socket: CInt) {}

    /// A socket is closed.
    mutating func forget(_ socket: CInt) { self.entries[socket] = nil }

    /// Waits until something is ready, that many milliseconds at most; less than 0: without an end.
    mutating func wait(_ milliseconds: CInt, into events: inout [Event]) {
        var list = Array(self.entries.values)
        _ = unsafe poll(&list, nfds_t(list.count), milliseconds)
        events.removeAll(keepingCapacity: true)
        for entry in list where entry.revents != 0 {
            let bits = CInt(entry.revents)
            events.append(
                Event(
                    socket: entry.fd, isReadable: bits & (POLLIN | POLLHUP) != 0, isWritable: bits & POLLOUT != 0,
                    hasFailed: bits & (POLLERR | POLLNVAL) != 0))
        }
    }
    #endif
}

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

extension DedicatedThread {
    /// Keeps the calling thread, one of its own, from running until there is something to read.
    package static func wait(forInput descriptor: CInt) {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        // Signals are blocked on such a thread, and an interruption would only be another reason to look again.
        while unsafe poll(&entry, 1, -1) < 0 {}
    }

    /// Keeps the calling thread, one of its own, from running for that time.
    package static func sleep(_ time: Duration) { usleep(UInt32(time.seconds * 1_000_000)) }
}

import Outbox

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

extension DedicatedThread {
    /// Lets other threads run.
    static func yield() { sched_yield() }

    /// Keeps the calling thread, one of its own, from running for that time.
    static func sleep(_ time: Duration) { usleep(UInt32(time.seconds * 1_000_000)) }
}

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// What the system does on a signal that a process does not handle.
enum DefaultAction {
    /// Has the system do it now. Returns when the process goes on, if it ever does.
    static func take(on signal: Int32) {
        var plain = sigaction()
        var handler = sigaction()
        #if canImport(Darwin)
        unsafe plain.__sigaction_u.__sa_handler = SIG_DFL
        #else
        unsafe plain.__sigaction_handler.sa_handler = SIG_DFL
        #endif
        unsafe sigaction(signal, &plain, &handler)
        // A thread of a queue takes no signals otherwise. One that a thread sends itself acts before it goes on.
        var signals = sigset_t()
        var blocked = sigset_t()
        unsafe sigemptyset(&signals)
        unsafe sigaddset(&signals, signal)
        unsafe pthread_sigmask(SIG_UNBLOCK, &signals, &blocked)
        raise(signal)
        unsafe pthread_sigmask(SIG_SETMASK, &blocked, nil)
        unsafe sigaction(signal, &handler, nil)
    }
}

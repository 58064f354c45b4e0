#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A thread outside the cooperative pool, for C calls that block.
package enum DedicatedThread {
    private final class Entry {
        let body: @Sendable () -> Void

        init(body: @escaping @Sendable () -> Void) {
            self.body = body
        }
    }

    /// Runs `body` on a new thread that is detached and receives no signal.
    ///
    /// Every signal is blocked before the thread exists, so a handler of the application never runs on it, and a SIGPIPE
    /// raised by one of its writes stays pending instead of ending the process.
    ///
    /// - Returns: `false` if the system has no thread to give; `body` is not run then.
    package static func start(_ body: @escaping @Sendable () -> Void) -> Bool {
        var allSignals = sigset_t()
        var callersSignals = sigset_t()
        unsafe sigfillset(&allSignals)
        unsafe pthread_sigmask(SIG_SETMASK, &allSignals, &callersSignals)
        defer { unsafe _ = pthread_sigmask(SIG_SETMASK, &callersSignals, nil) }

        // Owned by the new thread, which takes it back as its first action; by us if there is no new thread.
        let entry = unsafe Unmanaged.passRetained(Entry(body: body))
        #if canImport(Darwin)
        var thread: pthread_t?
        #else
        var thread = pthread_t()
        #endif
        let status = unsafe pthread_create(
            &thread, nil,
            { argument in
                #if canImport(Darwin)
                let entry = unsafe Unmanaged<Entry>.fromOpaque(argument).takeRetainedValue()
                #else
                let entry = unsafe Unmanaged<Entry>.fromOpaque(argument!).takeRetainedValue()
                #endif
                entry.body()
                return nil
            },
            entry.toOpaque()
        )
        guard status == 0 else {
            unsafe entry.release()
            return false
        }
        #if canImport(Darwin)
        if let thread = unsafe thread { unsafe pthread_detach(thread) }
        #else
        pthread_detach(thread)
        #endif
        return true
    }

    /// A number that no other running thread has.
    package static var currentID: UInt {
        #if canImport(Darwin)
        unsafe UInt(bitPattern: pthread_self())
        #else
        UInt(pthread_self())
        #endif
    }
}

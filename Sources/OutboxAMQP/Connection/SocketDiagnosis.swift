#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// What keeps a host from being connected to, which librabbitmq does not say: to it each cause is “a socket error”.
enum SocketDiagnosis {
    /// Tries to connect once more, and looks at what goes wrong.
    ///
    /// - Returns: The system's words; nil: a connection could be made.
    static func reason(host: String, port: Int, milliseconds: CInt) -> String? {
        var hints = unsafe addrinfo()
        #if canImport(Glibc)
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        #else
        unsafe hints.ai_socktype = SOCK_STREAM
        #endif
        var addresses: UnsafeMutablePointer<addrinfo>?
        let status = unsafe getaddrinfo(host, String(port), &hints, &addresses)
        guard status == 0 else { return unsafe "the host is not found: \(String(cString: gai_strerror(status)))" }
        defer { unsafe freeaddrinfo(addresses) }
        var reason: String? = "the host has no address"
        var next = unsafe addresses
        while let address = unsafe next {
            guard let failure = unsafe self.failure(to: address.pointee, milliseconds) else { return nil }
            reason = unsafe String(cString: strerror(failure))
            unsafe next = address.pointee.ai_next
        }
        return reason
    }

    /// - Returns: The number of the error; nil: a connection could be made.
    private static func failure(to address: addrinfo, _ milliseconds: CInt) -> CInt? {
        let descriptor = unsafe socket(address.ai_family, address.ai_socktype, address.ai_protocol)
        guard descriptor >= 0 else { return errno }
        defer { close(descriptor) }
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        if unsafe connect(descriptor, address.ai_addr, address.ai_addrlen) == 0 { return nil }
        if errno != EINPROGRESS { return errno }
        guard SocketState.waitUntilWritable(descriptor, milliseconds: milliseconds) else { return ETIMEDOUT }
        var code: CInt = 0
        var length = socklen_t(MemoryLayout<CInt>.size)
        unsafe _ = getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length)
        return code == 0 ? nil : code
    }

    /// What a call has failed with just now, where that is about a connection.
    static var lastError: String? {
        let code = errno
        let known = [ECONNRESET, ECONNREFUSED, ECONNABORTED, EPIPE, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, ENETDOWN]
        return known.contains(code) ? unsafe String(cString: strerror(code)) : nil
    }
}

/// What OpenSSL, which librabbitmq brings along, has noted of errors of the calling thread.
@safe enum TLSErrors {
    private typealias Clear = @convention(c) () -> Void
    private typealias Last = @convention(c) () -> UInt
    private typealias Text = @convention(c) (UInt) -> UnsafePointer<CChar>?

    // Safe to share: a handle of the process itself, which is never closed or changed; dlsym may be called from any thread.
    private nonisolated(unsafe) static let process = unsafe dlopen(nil, RTLD_LAZY)

    static func clear() {
        guard let symbol = unsafe dlsym(self.process, "ERR_clear_error") else { return }
        unsafe unsafeBitCast(symbol, to: Clear.self)()
    }

    /// OpenSSL's words for the last error, such as `certificate verify failed`; nil: there is none, or no OpenSSL in this process.
    static var last: String? {
        guard let last = unsafe dlsym(self.process, "ERR_peek_last_error"),
            let text = unsafe dlsym(self.process, "ERR_reason_error_string")
        else { return nil }
        let code = unsafe unsafeBitCast(last, to: Last.self)()
        guard code != 0, let words = unsafe unsafeBitCast(text, to: Text.self)(code) else { return nil }
        return unsafe String(cString: words)
    }
}

import CRabbitMQ
import Outbox
import OutboxRuntime

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A connection of librabbitmq, owned. Every call may block, so it stays on a thread of its own.
@safe struct BrokerConnection: ~Copyable {
    /// What both sides have agreed on.
    struct Terms {
        let socket: CInt
        /// The longest frame that both sides take.
        let frameSize: Int
        /// The time between two signs of life in seconds; 0: none are sent.
        let heartbeat: Int
    }

    let state: amqp_connection_state_t
    let terms: Terms
    var arena = ByteArena()
    /// What has come of returned messages, by channel.
    var returns: [UInt16: ReturnedContent] = [:]

    /// Connects and logs in.
    ///
    /// - Parameter onSocket: Told the socket as soon as there is one, and -1 before it is closed: shutting it down from
    ///   another thread ends whatever call is blocked.
    init(
        to host: AMQPConfiguration.Host, _ configuration: AMQPConfiguration, onSocket: (CInt) -> Void
    ) throws(ConnectionLoss) {
        guard let state = unsafe amqp_new_connection() else { throw ConnectionLoss(reason: "no memory") }
        do throws(ConnectionLoss) {
            try unsafe Self.openSocket(state, host, configuration)
            unsafe onSocket(amqp_get_sockfd(state))
            var arena = ByteArena()
            try unsafe Self.logIn(state, configuration, &arena)
            self.terms = unsafe Terms(
                socket: amqp_get_sockfd(state), frameSize: Int(amqp_get_frame_max(state)),
                heartbeat: Int(amqp_get_heartbeat(state)))
            unsafe self.state = state
        } catch {
            onSocket(-1)
            unsafe _ = amqp_destroy_connection(state)
            throw error
        }
        SocketState.widen(self.terms.socket, to: 4 * self.terms.frameSize)
    }

    deinit {
        unsafe _ = amqp_destroy_connection(self.state)
    }

    private static func openSocket(
        _ state: amqp_connection_state_t, _ host: AMQPConfiguration.Host, _ configuration: AMQPConfiguration
    ) throws(ConnectionLoss) {
        let socket: OpaquePointer?
        if let tls = configuration.tls {
            unsafe socket = amqp_ssl_socket_new(state)
            guard let socket = unsafe socket else { throw ConnectionLoss(reason: "TLS could not be set up") }
            try unsafe self.secure(socket, tls)
        } else {
            unsafe socket = amqp_tcp_socket_new(state)
        }
        guard let socket = unsafe socket else { throw ConnectionLoss(reason: "no memory") }
        var timeout = timeval(configuration.connection.timeout)
        let port = host.port ?? (configuration.tls == nil ? 5672 : 5671)
        TLSErrors.clear()
        let status = unsafe amqp_socket_open_noblock(socket, host.name, CInt(port), &timeout)
        if status == AMQP_STATUS_OK.rawValue { return }
        throw Self.failureToOpen(status, host.name, port, configuration)
    }

    /// What kept a host from being connected to, with what is likely to be behind it.
    private static func failureToOpen(
        _ status: CInt, _ host: String, _ port: Int, _ configuration: AMQPConfiguration
    ) -> ConnectionLoss {
        let tls = TLSErrors.last
        let loss = ConnectionLoss(status: status)
        switch status {
        case AMQP_STATUS_SOCKET_ERROR.rawValue, AMQP_STATUS_HOSTNAME_RESOLUTION_FAILED.rawValue:
            let limit = min(configuration.connection.timeout, .seconds(1)).wholeMilliseconds
            guard let reason = SocketDiagnosis.reason(host: host, port: port, milliseconds: limit) else { return loss }
            return ConnectionLoss(reason: reason)
        case AMQP_STATUS_SSL_CONNECTION_FAILED.rawValue, AMQP_STATUS_SSL_ERROR.rawValue:
            // Where no TLS is spoken, the answer is none, or something else.
            let hint =
                switch tls {
                case "wrong version number", "packet length too long", "record layer failure",
                    "unexpected eof while reading", nil:
                    "; does the broker speak TLS on this port? Without it an address begins with amqp://"
                default: ""
                }
            return ConnectionLoss(reason: loss.reason + (tls.map { ": \($0)" } ?? "") + hint)
        default:
            return loss
        }
    }

    /// Reads the files that a configuration names, without a connection.
    ///
    /// - Throws: What is wrong with one of them.
    static func checkFiles(of tls: TLSSettings) throws(ConnectionLoss) {
        if let defect = tls.fileDefect { throw ConnectionLoss(reason: defect) }
        // What the system trusts may come later.
        guard tls.caFile != nil || tls.certificateFile != nil else { return }
        var given = tls
        if given.caFile == nil { given.verifiesPeer = false }
        guard let state = unsafe amqp_new_connection() else { return }
        defer { unsafe _ = amqp_destroy_connection(state) }
        guard let socket = unsafe amqp_ssl_socket_new(state) else { return }
        try unsafe self.secure(socket, given)
    }

    /// Where systems keep the authorities they trust: Debian, Red Hat, Alpine, macOS.
    private static let systemAuthorities = [
        "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem",
        "/opt/homebrew/etc/openssl@3/cert.pem",
    ]

    private static func secure(_ socket: OpaquePointer, _ tls: TLSSettings) throws(ConnectionLoss) {
        let verifiesPeer = tls.verifiesPeer ?? true
        unsafe amqp_ssl_socket_set_verify_peer(socket, verifiesPeer ? 1 : 0)
        unsafe amqp_ssl_socket_set_verify_hostname(socket, tls.verifiesHost ?? true ? 1 : 0)
        try check(unsafe amqp_ssl_socket_set_ssl_versions(socket, AMQP_TLSv1_2, AMQP_TLSvLATEST))
        if let authorities = tls.caFile {
            guard unsafe amqp_ssl_socket_set_cacert(socket, authorities) == AMQP_STATUS_OK.rawValue else {
                throw ConnectionLoss(reason: "the authorities in \(authorities) cannot be read; is it a file in PEM?")
            }
        } else if verifiesPeer {
            let found = Self.systemAuthorities.contains { path in
                unsafe amqp_ssl_socket_set_cacert(socket, path) == AMQP_STATUS_OK.rawValue
            }
            if !found { throw ConnectionLoss(reason: "no authorities of the system were found; name a file of them") }
        }
        if let certificate = tls.certificateFile, let key = tls.keyFile {
            if let password = tls.keyPassword { unsafe amqp_ssl_socket_set_key_passwd(socket, password) }
            guard unsafe amqp_ssl_socket_set_key(socket, certificate, key) == AMQP_STATUS_OK.rawValue else {
                throw ConnectionLoss(
                    reason:
                        "the client’s certificate or key cannot be read; are they files in PEM, and do they belong together?"
                )
            }
        }
    }
}

extension BrokerConnection {
    /// What a reply that is no answer means for the connection.
    static func loss(_ reply: amqp_rpc_reply_t, _ state: amqp_connection_state_t) -> ConnectionLoss {
        if unsafe reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION {
            return ConnectionLoss(status: unsafe reply.library_error)
        }
        if unsafe reply.reply.id == UInt32(OUTBOX_AMQP_CONNECTION_CLOSE.rawValue),
            let decoded = unsafe reply.reply.decoded
        {
            return unsafe self.closed(by: decoded.assumingMemoryBound(to: amqp_connection_close_t.self).pointee, state)
        }
        return ConnectionLoss(reason: "the broker gave an answer that is none")
    }

    /// The broker has closed the connection. Acknowledges that.
    static func closed(by method: amqp_connection_close_t, _ state: amqp_connection_state_t) -> ConnectionLoss {
        let reason = unsafe "\(method.reply_code) \(String(method.reply_text))"
        let isPublishing =
            unsafe UInt32(method.class_id) << 16 | UInt32(method.method_id)
            == UInt32(OUTBOX_AMQP_BASIC_PUBLISH.rawValue)
        var answer = amqp_connection_close_ok_t()
        unsafe _ = amqp_send_method(state, 0, UInt32(OUTBOX_AMQP_CONNECTION_CLOSE_OK.rawValue), &answer)
        return ConnectionLoss(reason: reason, isBlamedOnMessage: isPublishing)
    }
}

/// - Throws: What the library calls a status that is not OK.
func check(_ status: CInt) throws(ConnectionLoss) {
    if status != AMQP_STATUS_OK.rawValue { throw ConnectionLoss(status: status) }
}

extension ConnectionLoss {
    init(status: CInt) {
        // Before anything else is called.
        let cause = SocketDiagnosis.lastError
        var reason = unsafe amqp_error_string2(status).map { unsafe String(cString: $0) } ?? "error \(status)"
        if status == AMQP_STATUS_SOCKET_ERROR.rawValue, let cause { reason += ": \(cause)" }
        self.init(reason: reason)
    }
}

extension String {
    init(_ bytes: amqp_bytes_t) {
        self = unsafe String(decoding: UnsafeRawBufferPointer(start: bytes.bytes, count: bytes.len), as: UTF8.self)
    }
}

extension timeval {
    init(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        self.init(tv_sec: Int(seconds), tv_usec: numericCast(attoseconds / 1_000_000_000_000))
    }
}

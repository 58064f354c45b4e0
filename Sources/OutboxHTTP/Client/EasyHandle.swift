import CCurl
import Outbox
import OutboxRuntime

/// A handle of libcurl for one request at a time, which is used for one after the other.
///
/// What is the same for all requests of a client is set once.
@safe final class EasyHandle {
    let pointer: UnsafeMutableRawPointer
    private let errorText = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))
    private let headers = HeaderList()
    /// What is sent, in memory that does not move.
    private var body = unsafe UnsafeMutableRawBufferPointer(start: nil, count: 0)
    private let timeout: Duration
    private let version: HTTPConfiguration.Version
    /// What it is used for now.
    private(set) var transfer: HTTPTransfer?
    /// What libcurl was told last, which it need not be told again.
    private var told = Told()

    private struct Told {
        var url: String?
        var timeout: Duration?
        var waitsForOthers: Bool?
        var isHeavy: Bool?
        var method: String?
        var hasBody: Bool?
    }

    /// A body of up to so many bytes leaves its memory to the next one.
    private static let keptBytes = 64 << 10

    /// - Parameters:
    ///   - closer: Closes a socket.
    ///   - context: What the closer is called with.
    init?(_ configuration: HTTPConfiguration, closer: outbox_curl_closer?, context: UnsafeMutableRawPointer?) {
        guard let pointer = unsafe curl_easy_init() else { return nil }
        unsafe self.pointer = pointer
        self.timeout = configuration.timeout
        self.version = configuration.version
        unsafe self.errorText.pointee = 0
        unsafe self.set(CURLOPT_ERRORBUFFER, UnsafeRawPointer(self.errorText))
        self.set(CURLOPT_NOSIGNAL, 1)
        // A look-up of a name that hangs is left alone.
        self.set(CURLOPT_QUICK_EXIT, 1)
        self.set(CURLOPT_PROTOCOLS_STR, "http,https")
        self.set(CURLOPT_FOLLOWLOCATION, 0)
        self.set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
        self.set(CURLOPT_TCP_KEEPALIVE, 1)
        self.set(CURLOPT_CONNECTTIMEOUT_MS, Int(configuration.connectTimeout.wholeMilliseconds))
        self.set(CURLOPT_DNS_CACHE_TIMEOUT, Int(configuration.addressLifetime.seconds.rounded(.up)))
        self.set(CURLOPT_LOW_SPEED_LIMIT, 1)
        self.set(CURLOPT_LOW_SPEED_TIME, max(1, Int(configuration.idleTimeout.seconds.rounded(.up))))
        self.set(CURLOPT_USERAGENT, configuration.userAgent)
        self.set(configuration.version)
        self.set(configuration.tls)
        if let proxy = configuration.proxy {
            self.set(CURLOPT_PROXY, proxy)
            // The environment's exceptions would be ways past the proxy.
            self.set(CURLOPT_NOPROXY, "")
        } else if configuration.addresses != .any {
            self.set(CURLOPT_PROXY, "")
        }
        unsafe _ = outbox_curl_set_receiver(pointer, CURLOPT_WRITEFUNCTION, receiveBody)
        unsafe _ = outbox_curl_set_receiver(pointer, CURLOPT_HEADERFUNCTION, receiveHeader)
        unsafe _ = outbox_curl_set_opener(pointer, openSocket)
        unsafe _ = outbox_curl_set_closer(pointer, closer)
        unsafe self.set(CURLOPT_CLOSESOCKETDATA, UnsafeRawPointer(context))
        let own = unsafe UnsafeRawPointer(Unmanaged.passUnretained(self).toOpaque())
        for option in [CURLOPT_PRIVATE, CURLOPT_WRITEDATA, CURLOPT_HEADERDATA, CURLOPT_OPENSOCKETDATA] {
            unsafe self.set(option, own)
        }
    }

    deinit {
        unsafe curl_easy_cleanup(self.pointer)
        unsafe self.body.deallocate()
        unsafe self.errorText.deallocate()
    }

    private func set(_ version: HTTPConfiguration.Version) {
        switch version {
        case .http1: self.set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
        case .upTo2, .http2: self.set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_2TLS))
        case .http2WithoutUpgrade:
            self.set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE))
            if Self.sharesNoPlainConnection {
                self.set(CURLOPT_FRESH_CONNECT, 1)
                self.set(CURLOPT_FORBID_REUSE, 1)
            }
        }
    }

    /// Before 8.0, libcurl asks to be called again at once while the other side takes no more of a body by HTTP/2, for as long as it likes. A
    /// body that is not held back fits into the window that each stream begins with.
    private static let spinsWhileItIsHeldBack = EasyHandle.libraryVersion.map { $0 < 0x080000 } ?? false
    private static let firstWindow = 65_535

    private static let libraryVersion = unsafe curl_version_info(CURLVERSION_FIRST)?.pointee.version_num

    /// libcurl 7.88 loses the second request of a connection that speaks HTTP/2 without TLS (https://github.com/curl/curl/pull/10643), so
    /// there each request has a connection of its own.
    private static let sharesNoPlainConnection = EasyHandle.libraryVersion.map { $0 >> 8 == 0x0758 } ?? false

    private func set(_ tls: TLSSettings) {
        self.set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        self.set(CURLOPT_SSL_VERIFYPEER, tls.verifiesPeer ?? true ? 1 : 0)
        self.set(CURLOPT_SSL_VERIFYHOST, tls.verifiesHost ?? true ? 2 : 0)
        if let file = tls.caFile { self.set(CURLOPT_CAINFO, file) }
        if let file = tls.certificateFile { self.set(CURLOPT_SSLCERT, file) }
        if let file = tls.keyFile { self.set(CURLOPT_SSLKEY, file) }
        if let password = tls.keyPassword { self.set(CURLOPT_KEYPASSWD, password) }
    }

    private func set(_ option: CURLoption, _ value: Int) {
        unsafe _ = outbox_curl_set_long(self.pointer, option, value)
    }
    private func set(_ option: CURLoption, _ value: String?) {
        unsafe _ = outbox_curl_set_text(self.pointer, option, value)
    }
    private func set(_ option: CURLoption, _ value: UnsafeRawPointer?) {
        unsafe _ = outbox_curl_set_pointer(self.pointer, option, value)
    }

    // MARK: One request

    /// Prepares the handle for a transfer, until ``release()``.
    func prepare(_ transfer: HTTPTransfer) {
        let request = transfer.request
        self.transfer = transfer
        unsafe self.errorText.pointee = 0
        if self.told.url != request.url {
            self.told.url = request.url
            self.set(CURLOPT_URL, request.url)
        }
        let timeout = request.timeout ?? self.timeout
        if self.told.timeout != timeout {
            self.told.timeout = timeout
            self.set(CURLOPT_TIMEOUT_MS, Int(timeout.wholeMilliseconds))
        }
        // Whether a connection that is being made can be shared is known at the end of TLS; without TLS, not before the first answer.
        let isKnownEarly =
            self.version == .http2WithoutUpgrade && !Self.sharesNoPlainConnection
            || (self.version == .upTo2 || self.version == .http2) && (transfer.origin?.hasPrefix("https:") ?? false)
        if self.told.waitsForOthers != isKnownEarly {
            self.told.waitsForOthers = isKnownEarly
            self.set(CURLOPT_PIPEWAIT, isKnownEarly ? 1 : 0)
        }
        let isHeavy = Self.spinsWhileItIsHeldBack && request.body.count > Self.firstWindow
        if self.version == .upTo2, self.told.isHeavy != isHeavy {
            self.told.isHeavy = isHeavy
            self.set(CURLOPT_HTTP_VERSION, Int(isHeavy ? CURL_HTTP_VERSION_1_1 : CURL_HTTP_VERSION_2TLS))
        }
        self.setMethod(request)
        self.setHeaders(request)
    }

    private func setMethod(_ request: HTTPRequest) {
        let hasBody = !request.body.isEmpty || !["GET", "HEAD", "DELETE"].contains(request.method)
        if self.told.method != request.method || self.told.hasBody != hasBody {
            self.told.method = request.method
            self.told.hasBody = hasBody
            // Takes back what the request before has set.
            self.set(CURLOPT_HTTPGET, 1)
            self.set(CURLOPT_CUSTOMREQUEST, ["GET", "POST", "HEAD"].contains(request.method) ? nil : request.method)
            if request.method == "HEAD" {
                self.set(CURLOPT_NOBODY, 1)
            } else if hasBody {
                self.set(CURLOPT_POST, 1)
            }
        }
        if hasBody, request.method != "HEAD" { self.setBody(request.body) }
    }

    private func setBody(_ body: [UInt8]) {
        if unsafe self.body.count < max(1, body.count) {
            unsafe self.body.deallocate()
            unsafe self.body = .allocate(byteCount: max(256, body.count), alignment: 1)
        }
        unsafe self.body.copyBytes(from: body)
        unsafe self.set(CURLOPT_POSTFIELDS, UnsafeRawPointer(self.body.baseAddress))
        unsafe _ = outbox_curl_set_size(self.pointer, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(body.count))
    }

    private func setHeaders(_ request: HTTPRequest) {
        unsafe self.set(CURLOPT_HTTPHEADER, UnsafeRawPointer(self.headers.list(of: request)))
    }

    /// Gives back what was lent for a request.
    func release() {
        self.transfer = nil
        if unsafe self.body.count > Self.keptBytes {
            unsafe self.body.deallocate()
            unsafe self.body = UnsafeMutableRawBufferPointer(start: nil, count: 0)
        }
    }

    // MARK: What became of it

    var status: Int {
        var status = 0
        unsafe _ = outbox_curl_long(self.pointer, CURLINFO_RESPONSE_CODE, &status)
        return status
    }

    /// The socket of the connection that the request was sent on, if libcurl keeps it, and how long the request took.
    var openConnection: (socket: CInt, duration: Duration)? {
        var socket = outbox_curl_no_socket
        unsafe _ = outbox_curl_socket(self.pointer, CURLINFO_ACTIVESOCKET, &socket)
        return socket == outbox_curl_no_socket ? nil : (socket, .microseconds(self.size(CURLINFO_TOTAL_TIME_T)))
    }

    private func size(_ info: CURLINFO) -> Int {
        var size: curl_off_t = 0
        unsafe _ = outbox_curl_size(self.pointer, info, &size)
        return Int(size)
    }

    /// Why a transfer has no answer.
    func failure(_ code: CURLcode, _ transfer: HTTPTransfer) -> HTTPFailure {
        let text = unsafe String(cString: self.errorText)
        var reason = text.isEmpty ? unsafe String(cString: curl_easy_strerror(code)) : text
        // libcurl repeats the address, with a password that may be in it. One that was configured has been looked at before.
        if text.hasPrefix("Unsupported proxy") { reason = ProxyAddress.defectInEnvironment }
        // Microseconds since the beginning, 0: it did not come to that.
        var wasSent = self.size(CURLINFO_PRETRANSFER_TIME_T) > 0
        var kind = HTTPFailure.Kind(code)
        if !wasSent, transfer.isOutOfDescriptors {
            kind = .noResources
            reason = "no file descriptor is left"
        } else if !wasSent, let refusal = transfer.refusal {
            // A host of which one address is down and another is not connected to is down.
            if !transfer.hasTriedAddress { kind = .refusedAddress }
            reason = transfer.hasTriedAddress ? "\(reason); \(refusal)" : refusal
        } else if wasSent, kind == .invalidRequest {
            // What came is taken for a protocol that is not spoken here.
            kind = .notHTTP
        } else if kind == .timedOut {
            reason = self.explained(reason)
        } else if kind == .connectionLost, Self.refusesCertificate(text) {
            // In TLS 1.3 the client is ready before the server has looked at its certificate; nothing was read of the request.
            kind = .tls
            wasSent = false
        }
        let status = self.status
        return HTTPFailure(kind, reason, mayHaveArrived: wasSent, status: status > 0 ? status : nil)
    }

    /// Whether an error is the other side's word in TLS that it does not know who the client is.
    private static func refusesCertificate(_ text: String) -> Bool {
        text.contains("alert")
            && ["certificate", "unknown ca", "access denied", "handshake failure"].contains { text.contains($0) }
    }

    private func explained(_ reason: String) -> String {
        let phase =
            // The last one first: a connection that is used again was neither looked up nor made.
            if self.size(CURLINFO_STARTTRANSFER_TIME_T) > 0 {
                "reading the answer"
            } else if self.size(CURLINFO_PRETRANSFER_TIME_T) > 0 {
                "waiting for an answer"
            } else if self.size(CURLINFO_CONNECT_TIME_T) > 0 {
                "agreeing on TLS"
            } else if self.size(CURLINFO_NAMELOOKUP_TIME_T) > 0 {
                "connecting"
            } else {
                "looking up the host’s name"
            }
        return "\(reason) (\(phase))"
    }
}

extension HTTPFailure.Kind {
    fileprivate init(_ code: CURLcode) {
        self =
            switch code {
            case CURLE_UNSUPPORTED_PROTOCOL, CURLE_URL_MALFORMAT, CURLE_BAD_FUNCTION_ARGUMENT: .invalidRequest
            case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY: .notResolved
            case CURLE_COULDNT_CONNECT, CURLE_PROXY, CURLE_INTERFACE_FAILED, CURLE_NO_CONNECTION_AVAILABLE,
                CURLE_FAILED_INIT:
                .notConnected
            case CURLE_OUT_OF_MEMORY: .noResources
            case CURLE_OPERATION_TIMEDOUT: .timedOut
            case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER,
                CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_ENGINE_NOTFOUND,
                CURLE_SSL_INVALIDCERTSTATUS,
                CURLE_SSL_PINNEDPUBKEYNOTMATCH, CURLE_USE_SSL_FAILED, CURLE_SSL_CLIENTCERT:
                .tls
            case CURLE_WEIRD_SERVER_REPLY, CURLE_BAD_CONTENT_ENCODING: .notHTTP
            default: .connectionLost
            }
    }
}

internal import CLibPQ
internal import Outbox
import OutboxRuntime

/// Where the server is and how to log in: the parameters of libpq.
///
/// Whatever is not said comes from the service file, the `PG…` environment variables and the password file, as with `psql`.
public struct LibPQConfiguration: Sendable, Hashable {
    /// What the connection string said.
    private var given: [String: String]

    /// Parameters of libpq, such as `application_name` or `sslmode`, that take precedence over the connection string.
    ///
    /// Defaults, where none of these two, the service file and the environment says otherwise: `connect_timeout` 10 (seconds, for
    /// each host), `keepalives_idle` 30, `keepalives_interval` 10 and `keepalives_count` 3 (a peer that vanished is noticed after a minute),
    /// `tcp_user_timeout` 30000 (milliseconds), `fallback_application_name` `swift-outbox`. `client_encoding` is always `UTF8`.
    public var parameters: [String: String] = [:]

    /// How long the server may be silent while it owes an answer, or takes no more bytes. Default 30 seconds; `nil`: as long as it likes.
    ///
    /// When half of it has passed, the server is asked over another connection to the same address what the session does. A session that
    /// is at work, or waits for a lock or for a synchronous standby, is waited for further, and the log says once why. Else
    /// the session counts as lost when the limit is reached (``LibPQError/Code/connectionLost``), and the server is told
    /// to end it, with the transaction and the locks that it may still have.
    ///
    /// Through a pooler the server's sessions are told apart by the text of the statement. Where the pooler has no connection free
    /// to ask over, or where a load balancer sends the question to another server, the answer is not to be had: set a limit above the
    /// longest statement there.
    public var answerTimeout: Duration? = .seconds(30)

    /// Whether statements that have a ``LibPQStatement/name`` are prepared once on each connection and used again. Default `true`.
    ///
    /// Set it to `false` for a pooler in transaction mode that does not follow prepared statements, such as PgBouncer before 1.21:
    /// each statement is parsed and planned every time then.
    public var usesPreparedStatements = true

    /// Where the password comes from at each login; nil: from the connection string, `PGPASSWORD` or the password file. Default nil.
    public var password: PasswordSource?

    /// Reads a connection string: a URL (`postgresql://user@host:port/database?…`) or a list (`host=… dbname=…`). The empty
    /// string leaves everything to the environment.
    ///
    /// - Throws: ``LibPQError/Code/configuration``, with the nearest valid name if a parameter is unknown.
    public init(_ string: String = "") throws(LibPQError) {
        given = try Self.parse(string)
    }

    /// The parameters that were given, in the form that libpq takes.
    ///
    /// - Throws: ``LibPQError/Code/configuration`` if ``parameters`` has a name that libpq does not know, or a limit is not positive.
    func requested() throws(LibPQError) -> [String: String] {
        var requested = given
        requested.merge(parameters) { $1 }
        requested["client_encoding"] = "UTF8"
        let known = Self.knownParameters
        for (name, value) in requested {
            guard known.contains(name) else { throw Self.unknownParameter(name, known: known) }
            guard !value.utf8.contains(0) else {
                throw LibPQError(.configuration, "the connection parameter \(name) has the character U+0000")
            }
        }
        if let answerTimeout, answerTimeout <= .zero {
            throw LibPQError(.configuration, "answerTimeout is not positive; nil stands for no limit")
        }
        return requested
    }

    /// All the parameters for libpq. Reads the service file.
    func resolved() throws(LibPQError) -> [String: String] {
        try EffectiveParameters(requested()).resolved
    }

    /// The same server as that of a connection which exists.
    ///
    /// - Parameter address: Its host, the address that this stood for, and its port.
    func pinned(host: String, address: String, port: String) -> LibPQConfiguration {
        var pinned = self
        // A directory of sockets has no address.
        pinned.parameters["hostaddr"] = host.hasPrefix("/") || host.hasPrefix("@") ? "" : address
        pinned.parameters["host"] = host
        pinned.parameters["port"] = port
        pinned.parameters["target_session_attrs"] = "any"
        return pinned
    }
}

// MARK: Descriptions

extension LibPQConfiguration: CustomStringConvertible, CustomReflectable {
    /// The parameters that were given, without the secret ones.
    public var description: String {
        given.merging(parameters) { $1 }
            .sorted { $0.key < $1.key }
            .map { "\($0)=\(Self.secrets.contains($0) ? "***" : $1)" }
            .joined(separator: " ")
    }

    /// Shows no more than ``description`` does.
    public var customMirror: Mirror { Mirror(self, children: ["parameters": description]) }

    private static let secrets: Set = ["password", "sslpassword"]
}

// MARK: Parsing

extension LibPQConfiguration {
    private static func parse(_ string: String) throws(LibPQError) -> [String: String] {
        guard !string.utf8.contains(0) else {
            throw LibPQError(.configuration, "the connection string has the character U+0000")
        }
        var complaint: UnsafeMutablePointer<CChar>?
        guard let options = unsafe PQconninfoParse(string, &complaint) else {
            defer { unsafe PQfreemem(complaint) }
            throw explain(unsafe complaint.map { unsafe String(cString: $0) } ?? "")
        }
        defer { unsafe PQconninfoFree(options) }
        var parsed: [String: String] = [:]
        unsafe forEach(options) { name, value in parsed[name] = value }
        // A password with an @ or a / in it has been read as the beginning of what follows; it is not to be shown then.
        let ports = parsed["port"]?.split(separator: ",") ?? []
        let hasStrangePort = ports.contains { UInt16($0) == nil }
        if hasStrangePort || Self.hasUnescapedAt(string) {
            throw LibPQError(
                .configuration,
                """
                the connection string is invalid: \(hasStrangePort ? "the port is no number" : "the host contains an @"); \
                in a URL, write @ in a name or a password as %40, / as %2F, : as %3A
                """)
        }
        if let name = parsed["dbname"], name.contains("://") {
            throw LibPQError(
                .configuration, "the connection string is invalid: dbname is a URL itself; give that one alone")
        }
        return parsed
    }

    /// Whether the part of a URL that names user and host has a second @, which is not written as %40. An abstract socket, and
    /// a directory with an @ in its name, have to be: `postgresql://%40%2Ftmp/database`.
    private static func hasUnescapedAt(_ string: String) -> Bool {
        guard let scheme = ["postgresql://", "postgres://"].first(where: { string.hasPrefix($0) }) else { return false }
        let authority = string.utf8.dropFirst(scheme.utf8.count)
            .prefix { $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "?") }
        return authority.count { $0 == UInt8(ascii: "@") } > 1
    }

    private static var knownParameters: Set<String> {
        guard let options = unsafe PQconndefaults() else { return [] }
        defer { unsafe PQconninfoFree(options) }
        var known: Set<String> = []
        unsafe forEach(options, includingUnset: true) { name, _ in known.insert(name) }
        return known
    }

    static func forEach(
        _ options: UnsafeMutablePointer<PQconninfoOption>, includingUnset: Bool = false,
        _ body: (String, String) -> Void
    ) {
        var option = unsafe options
        while let name = unsafe option.pointee.keyword {
            if let value = unsafe option.pointee.val {
                unsafe body(String(cString: name), String(cString: value))
            } else if includingUnset {
                unsafe body(String(cString: name), "")
            }
            unsafe option += 1
        }
    }

    /// libpq's complaint quotes the string, which may hold a password, so it is put in other words.
    private static func explain(_ complaint: String) -> LibPQError {
        for prefix in ["invalid connection option \"", "invalid URI query parameter: \""]
        where complaint.hasPrefix(prefix) {
            let name = complaint.dropFirst(prefix.count).prefix { $0 != "\"" }
            return unknownParameter(String(name), known: knownParameters)
        }
        let explanations = [
            ("missing \"=\" after", "a parameter has no “=”; quote a value that contains spaces"),
            ("unterminated quoted string", "a quote is not closed"),
            ("missing key/value separator", "a parameter after the “?” has no “=”"),
            ("extra key/value separator", "a parameter after the “?” has more than one “=”"),
            (
                "invalid percent-encoded token",
                "a “%” is not followed by two hexadecimal digits; write %25 for the character itself"
            ),
            ("forbidden value %00", "%00 cannot be part of a value"),
            ("end of string reached when looking for matching \"]\"", "an IPv6 address has no closing “]”"),
            ("IPv6 host address may not be empty", "an IPv6 address is empty"),
            ("unexpected character", "there is an unexpected character after an IPv6 address"),
        ]
        let explanation = explanations.first { complaint.hasPrefix($0.0) }?.1
        return LibPQError(
            .configuration,
            "the connection string is invalid: "
                + (explanation ?? "it is neither a postgresql:// URL nor a list of keyword=value"))
    }

    private static func unknownParameter(_ name: String, known: Set<String>) -> LibPQError {
        // Of a URL that is none, all that precedes the first “=” is a name to libpq.
        guard let (name, nearest) = Redaction.misspelling(name, of: known) else {
            return LibPQError(
                .configuration,
                "the connection string is invalid: it names a parameter that libpq does not know, or is neither a"
                    + " postgresql:// URL nor a list of keyword=value")
        }
        return LibPQError(.configuration, "there is no connection parameter “\(name)”; did you mean “\(nearest)”?")
    }
}

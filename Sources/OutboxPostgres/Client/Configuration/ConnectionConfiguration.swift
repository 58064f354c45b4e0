internal import CLibPQ
internal import Outbox

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Where the server is and how to log in: the parameters of libpq.
///
/// Whatever is not said comes from the `PG…` environment variables, the password file and the service file, as with `psql`.
public struct ConnectionConfiguration: Sendable, Hashable {
    /// What the connection string said.
    private var given: [String: String]

    /// Parameters of libpq, such as `application_name` or `sslmode`, that take precedence over the connection string.
    ///
    /// Defaults, where neither of the two says otherwise: `connect_timeout` 10 (seconds, for each host; `PGCONNECT_TIMEOUT` goes first),
    /// `keepalives_idle` 30, `keepalives_interval` 10 and `keepalives_count` 3 (a peer that vanished is noticed after a minute),
    /// `tcp_user_timeout` 30000 (milliseconds), `fallback_application_name` `swift-outbox`. `client_encoding` is always `UTF8`.
    public var parameters: [String: String] = [:]

    /// Reads a connection string: a URL (`postgresql://user@host:port/database?…`) or a list (`host=… dbname=…`). The empty
    /// string leaves everything to the environment.
    ///
    /// - Throws: ``PostgresError/Code/configuration``, with the nearest valid name if a parameter is unknown.
    public init(_ string: String = "") throws(PostgresError) {
        given = try Self.parse(string)
    }

    /// All the parameters for libpq.
    ///
    /// - Throws: ``PostgresError/Code/configuration`` if ``parameters`` has a name that libpq does not know.
    func resolved() throws(PostgresError) -> [String: String] {
        var resolved = Self.defaults
        resolved.merge(given) { $1 }
        resolved.merge(parameters) { $1 }
        resolved["client_encoding"] = "UTF8"
        let known = Self.knownParameters
        for (name, value) in resolved {
            guard known.contains(name) else { throw Self.unknownParameter(name, known: known) }
            guard !value.utf8.contains(0) else {
                throw PostgresError(.configuration, "the connection parameter \(name) has the character U+0000")
            }
        }
        return resolved
    }

    private static var defaults: [String: String] {
        var defaults = [
            "fallback_application_name": "swift-outbox",
            "keepalives_idle": "30",
            "keepalives_interval": "10",
            "keepalives_count": "3",
            "tcp_user_timeout": "30000",
        ]
        if unsafe getenv("PGCONNECT_TIMEOUT") == nil { defaults["connect_timeout"] = "10" }
        return defaults
    }
}

// MARK: Descriptions

extension ConnectionConfiguration: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The parameters that were given, without the secret ones.
    public var description: String {
        given.merging(parameters) { $1 }
            .sorted { $0.key < $1.key }
            .map { "\($0)=\(Self.secrets.contains($0) ? "***" : $1)" }
            .joined(separator: " ")
    }

    /// The same as ``description``: secrets are left out here too.
    public var debugDescription: String { "ConnectionConfiguration(\(description))" }

    /// Shows no more than ``description`` does.
    public var customMirror: Mirror { Mirror(self, children: ["parameters": description]) }

    private static let secrets: Set = ["password", "sslpassword"]
}

// MARK: Parsing

extension ConnectionConfiguration {
    private static func parse(_ string: String) throws(PostgresError) -> [String: String] {
        guard !string.utf8.contains(0) else {
            throw PostgresError(.configuration, "the connection string has the character U+0000")
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
        if hasStrangePort || parsed["host"]?.contains("@") == true {
            throw PostgresError(
                .configuration,
                """
                the connection string is invalid: \(hasStrangePort ? "the port is no number" : "the host contains an @"); \
                in a URL, write @ in a name or a password as %40, / as %2F, : as %3A
                """)
        }
        if let name = parsed["dbname"], name.contains("://") || name.contains("=") {
            throw PostgresError(
                .configuration,
                "the connection string is invalid: dbname is a connection string itself; give that one alone")
        }
        return parsed
    }

    private static var knownParameters: Set<String> {
        guard let options = unsafe PQconndefaults() else { return [] }
        defer { unsafe PQconninfoFree(options) }
        var known: Set<String> = []
        unsafe forEach(options, includingUnset: true) { name, _ in known.insert(name) }
        return known
    }

    private static func forEach(
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
    private static func explain(_ complaint: String) -> PostgresError {
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
        return PostgresError(
            .configuration,
            "the connection string is invalid: "
                + (explanation ?? "it is neither a postgresql:// URL nor a list of keyword=value"))
    }

    private static func unknownParameter(_ name: String, known: Set<String>) -> PostgresError {
        // Of a URL that is none, all that precedes the first “=” is a name to libpq.
        guard let (name, nearest) = Redaction.misspelling(name, of: known) else {
            return PostgresError(
                .configuration,
                "the connection string is invalid: it names a parameter that libpq does not know, or is neither a"
                    + " postgresql:// URL nor a list of keyword=value")
        }
        return PostgresError(.configuration, "there is no connection parameter “\(name)”; did you mean “\(nearest)”?")
    }
}

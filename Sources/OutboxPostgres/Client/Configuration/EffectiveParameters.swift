internal import CLibPQ

/// What libpq makes of parameters: what was asked for, completed by the service file and the environment as libpq does it, and by
/// this client's defaults only where none of them says anything.
struct EffectiveParameters {
    private let requested: [String: String]
    /// As libpq would use it without this client's defaults.
    private let effective: [String: String]

    /// Reads the service file and, as libpq does, the password file; connects nothing.
    init(_ requested: [String: String]) {
        self.requested = requested
        effective = Self.effective(requested)
    }

    /// For libpq.
    var resolved: [String: String] {
        // An empty text is the same to libpq as none.
        requested.merging(Self.defaults.filter { effective[$0.key, default: ""].isEmpty }) { $0.isEmpty ? $1 : $0 }
    }

    /// How long the attempt may take; `nil`: as long as it likes.
    ///
    /// `connect_timeout` counts for each host. A host that does not answer at all is given up by the system after `tcp_user_timeout`,
    /// whereupon libpq turns to the next one.
    var connectTimeout: Duration? {
        guard let seconds = (resolved["connect_timeout"] ?? effective["connect_timeout"]).flatMap({ Int($0) }),
            seconds > 0
        else { return nil }
        let hosts = [effective["host"], effective["hostaddr"]]
            .map { $0?.split(separator: ",", omittingEmptySubsequences: false).count ?? 0 }
        return .seconds(min(max(seconds, 2), 1_000_000)) * max(hosts.max() ?? 1, 1)
    }

    static let defaults = [
        "connect_timeout": "10",
        "fallback_application_name": "swift-outbox",
        "keepalives_idle": "30",
        "keepalives_interval": "10",
        "keepalives_count": "3",
        "tcp_user_timeout": "30000",
    ]

    /// libpq shows the parameters of a connection only, and no other call reads the service that a parameter names. A parameter
    /// that cannot be keeps this one from being made: it is checked before a socket is opened or a name looked up.
    private static func effective(_ requested: [String: String]) -> [String: String] {
        let impossible = requested.merging(["channel_binding": "none of them"]) { $1 }
        let names = CStringArray(impossible.keys)
        let values = CStringArray(impossible.values)
        guard let connection = unsafe PQconnectStartParams(names.pointer, values.pointer, 0) else { return [:] }
        defer { unsafe PQfinish(connection) }
        guard let options = unsafe PQconninfo(connection) else { return [:] }
        defer { unsafe PQconninfoFree(options) }
        var effective: [String: String] = [:]
        unsafe LibPQConfiguration.forEach(options) { name, value in effective[name] = value }
        effective["channel_binding"] = requested["channel_binding"]
        return effective
    }
}

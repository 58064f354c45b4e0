extension EphemeralPostgres {
    /// How a throwaway server is set up.
    public struct Settings: Sendable {
        /// Lines for `postgresql.conf`, such as `["max_connections": "300"]`, on top of the defaults.
        ///
        /// Defaults: `fsync` and `full_page_writes` are off, because the data never has to outlive the machine; it does
        /// outlive ``EphemeralPostgres/kill()``. Everything else is Postgres's own default. `port`, `listen_addresses` and
        /// `unix_socket_directories` are refused; see ``EphemeralPostgres/Network``.
        package var parameters: [String: String]
        /// How the server can be reached besides the unix socket in its folder. Default: not at all.
        package var network: Network
        /// The folder that holds `initdb` and `postgres`.
        ///
        /// Default: `nil`, the first of the environment variable `OUTBOX_POSTGRES_BIN`, `PATH`, and the places where
        /// Debian's and Homebrew's packages put versions 18 down to 14.
        package var binaries: String?
        /// How long a start may take before it fails, in whole seconds. Default: 60 seconds.
        package var startLimit: Duration
        /// The server whose copy this one is, and whose log it follows until it is promoted. Default: none.
        ///
        /// The parameters of that server hold, but for those of ``parameters``; it needs `wal_level` and `max_wal_senders` as they are by default.
        package var primary: EphemeralPostgres?

        /// Creates settings; see the properties for the defaults.
        public init(
            parameters: [String: String] = [:],
            network: Network = .none,
            binaries: String? = nil,
            startLimit: Duration = .seconds(60)
        ) {
            self.parameters = parameters
            self.network = network
            self.binaries = binaries
            self.startLimit = startLimit
        }

        /// Creates the settings of a streaming standby.
        package init(standbyOf primary: EphemeralPostgres, network: Network = .none) {
            self.init(network: network)
            self.primary = primary
        }
    }

    /// Whether a throwaway server listens on TCP, and how connections there authenticate.
    public struct Network: Sendable, CustomStringConvertible {
        enum Kind { case none, trust, password(String) }
        let kind: Kind

        /// Only the unix socket in the server's folder, which other users of the machine cannot enter.
        public static let none = Network(kind: .none)
        /// A free port of 127.0.0.1 as well. Every user of the machine can connect there without a password.
        public static let loopback = Network(kind: .trust)
        /// A free port of 127.0.0.1 as well, where `scram-sha-256` asks for this password; the unix socket asks for none.
        public static func loopback(password: String) -> Network { Network(kind: .password(password)) }

        /// The kind of access, without the password.
        public var description: String {
            switch kind {
            case .none: "unix socket"
            case .trust: "loopback"
            case .password: "loopback with a password"
            }
        }
    }

    /// How a running server is shut down before it is started again.
    package struct ShutdownMode: Sendable, Hashable {
        let signal: String

        /// Open transactions are rolled back, sessions ended, and everything written out.
        package static let fast = ShutdownMode(signal: "INT")
        /// All processes end at once, telling their clients; the next start recovers from the log.
        package static let immediate = ShutdownMode(signal: "QUIT")
    }
}

extension EphemeralPostgres.Settings {
    private static let reserved: Set = ["port", "listen_addresses", "unix_socket_directories"]

    func validate() throws(EphemeralServerError) {
        for (name, value) in parameters {
            guard !name.isEmpty, name.utf8.allSatisfy({ $0.isParameterNameByte }), !value.utf8.contains(0x0A) else {
                throw EphemeralServerError(.invalidSettings, "“\(name)” is not a server parameter on one line.")
            }
            guard !Self.reserved.contains(name) else {
                throw EphemeralServerError(
                    .invalidSettings, "The parameter “\(name)” is chosen by the ephemeral server; use Settings.network."
                )
            }
        }
        if case .password(let password) = network.kind, password.isEmpty || password.utf8.contains(0x0A) {
            throw EphemeralServerError(.invalidSettings, "The password is empty or has more than one line.")
        }
        guard startLimit >= .seconds(1) else {
            throw EphemeralServerError(.invalidSettings, "The start limit is under one second.")
        }
    }

    /// The lines to add to `postgresql.conf`.
    var configurationLines: String {
        var all = ["fsync": "off", "full_page_writes": "off"]
        all.merge(parameters) { _, own in own }
        all["listen_addresses"] = listensOnLoopback ? "127.0.0.1" : ""
        return all.sorted { $0.key < $1.key }
            .map { "\($0.key) = '\($0.value.replacing("\\", with: "\\\\").replacing("'", with: "''"))'" }
            .joined(separator: "\n")
    }

    var listensOnLoopback: Bool {
        if case .none = network.kind { false } else { true }
    }

    var password: String? {
        if case .password(let password) = network.kind { password } else { nil }
    }
}

extension UInt8 {
    fileprivate var isParameterNameByte: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."):
            true
        default: false
        }
    }
}

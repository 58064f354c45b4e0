extension LibPQError {
    /// Reads what libpq says about a failed attempt to connect, with `PQERRORS_VERBOSE`. It may name hosts, ports and users, but
    /// no password.
    init(connectFailure text: String) {
        // One line for each address that was tried; the last one decides. "…: FATAL:  28P01: password authentication failed …"
        var report: ServerReport?
        var reason = ""
        for line in text.split(separator: "\n") {
            if let found = ServerReport(verboseLine: line) { report = found }
            // Continuations and the server's details are indented or labelled.
            if line.hasPrefix("connection to server") || reason.isEmpty { reason = String(line) }
        }
        if let report {
            self.init(.connect, "the server refused the connection", server: report)
        } else if reason.contains("no password supplied") {
            // libpq did not even ask: the same as a wrong one.
            self.init(
                .connect,
                "no password was given (PGPASSWORD, a password file, or the connection string)",
                server: ServerReport(sqlState: "28P01", severity: "FATAL"))
        } else if Self.configurationComplaints.contains(where: reason.hasPrefix) {
            self.init(.configuration, "the connection's parameters, or the PG* environment, are wrong: \(reason)")
        } else {
            self.init(.connect, "no connection to the server (\(Self.advice(for: reason))\(reason))")
        }
    }

    /// How libpq begins to say that it did not even try.
    private static let configurationComplaints = [
        "invalid ", "definition of service", "service file", "syntax error in service file", "could not match ",
        "could not parse network address",
    ]

    private static func advice(for reason: String) -> String {
        if reason.contains("server does not support SSL") {
            return "sslmode asks for TLS, which the server does not offer: "
        }
        if reason.contains("could not translate host name") { return "the name of the host is unknown: " }
        if reason.contains("Connection refused") || reason.contains("No such file or directory") {
            return "no server is listening there; is it running, on this host and port? "
        }
        return ""
    }
}

extension ServerReport {
    /// - Returns: `nil` unless the line has the form "…: SEVERITY:  12345: message".
    fileprivate init?(verboseLine line: Substring) {
        guard let separator = line.firstRange(of: ":  ") else { return nil }
        let rest = line[separator.upperBound...]
        let state = rest.prefix(5)
        guard state.utf8.count == 5, rest.dropFirst(5).hasPrefix(": "),
            state.utf8.allSatisfy({ (48...57).contains($0) || (65...90).contains($0) })
        else { return nil }
        self.init(sqlState: String(state), severity: "FATAL", message: String(rest.dropFirst(7)))
    }
}

import Foundation

/// Where the server's programs are on this machine.
package enum PostgresPrograms {
    /// The versions the library is tested with, newest first.
    package static let supportedVersions = Array((14...18).reversed())

    /// Returns the folder that holds `initdb` and `postgres`.
    ///
    /// A folder that was named, by `explicit` or by `OUTBOX_POSTGRES_BIN`, is the only one looked at: falling back to
    /// another version would hide a mistake.
    package static func folder(
        explicit: String?,
        environment: [String: String],
        packageFolders: [String] = packageFolders
    ) throws(EphemeralServerError) -> String {
        if let named = explicit ?? environment["OUTBOX_POSTGRES_BIN"], !named.isEmpty {
            guard isComplete(named) else {
                throw EphemeralServerError(
                    .notInstalled, "There are no programs “initdb” and “postgres” in \(named). \(advice)")
            }
            return named
        }
        // A link in PATH leads to the folder that has the other programs, such as psql, as well.
        let path = (environment["PATH"] ?? "").split(separator: ":").map { folder in
            let program = URL(fileURLWithPath: "\(folder)/postgres").resolvingSymlinksInPath()
            return program.deletingLastPathComponent().path
        }
        guard let found = (path + packageFolders).first(where: isComplete) else {
            throw EphemeralServerError(.notInstalled, "No Postgres server is installed. \(advice)")
        }
        return found
    }

    /// Where Debian's and Homebrew's packages put the server's programs.
    package static let packageFolders: [String] = supportedVersions.flatMap { version in
        [
            "/usr/lib/postgresql/\(version)/bin",
            "/usr/pgsql-\(version)/bin",
            "/opt/homebrew/opt/postgresql@\(version)/bin",
            "/usr/local/opt/postgresql@\(version)/bin",
        ]
    }

    private static let advice = """
        Install one (Debian and Ubuntu: apt-get install postgresql; macOS: brew install postgresql@18), or name the folder \
        of its programs in the environment variable OUTBOX_POSTGRES_BIN.
        """

    private static func isComplete(_ folder: String) -> Bool {
        ["initdb", "postgres"].allSatisfy { FileManager.default.isExecutableFile(atPath: "\(folder)/\($0)") }
    }
}

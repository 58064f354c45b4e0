import Foundation
import OutboxPostgres

/// Where something was measured.
struct Machine: Sendable {
    let processor: String
    let cores: Int
    let memory: UInt64
    let system: String
    let postgres: String
    let fsync: String
    /// How many processes wanted to run, on average of a minute, when it began: more than the cores means that it was shared.
    let load: Double
    let date: Date

    /// In a line.
    var description: String {
        """
        \(self.processor), \(self.cores) cores, \(self.memory >> 30) GiB, \(self.system), PostgreSQL \(self.postgres), \
        fsync \(self.fsync), load \(Figure.text(self.load))
        """
    }
}

extension Machine {
    /// This one, and the server.
    init(server: BenchServer) async throws {
        let connection = try await server.connect()
        (self.postgres, self.fsync) = try await withCleanUp {
            let row = try await connection.query("SELECT current_setting('server_version'), current_setting('fsync')")[
                0]
            return (try row.decode(0), try row.decode(1))
        } cleanUp: {
            await connection.close()
        }
        self.processor = Self.value(of: "model name", in: "/proc/cpuinfo") ?? Self.architecture
        self.system =
            Self.value(of: "PRETTY_NAME", in: "/etc/os-release") ?? ProcessInfo.processInfo.operatingSystemVersionString
        self.cores = ProcessInfo.processInfo.activeProcessorCount
        self.memory = ProcessInfo.processInfo.physicalMemory
        var loads = [0.0]
        self.load = unsafe getloadavg(&loads, 1) == 1 ? loads[0] : .nan
        self.date = Date()
    }

    private static var architecture: String {
        #if arch(arm64)
        "arm64"
        #else
        "x86_64"
        #endif
    }

    private static func value(of name: String, in path: String) -> String? {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return nil }
        for line in text.split(separator: "\n") where line.hasPrefix(name) {
            let value = line.drop { $0 != ":" && $0 != "=" }.dropFirst()
            return String(value).trimmingCharacters(in: CharacterSet(charactersIn: "\" \t"))
        }
        return nil
    }
}

import Foundation
import Subprocess
import TestSupport

#if canImport(System)
import System
#else
import SystemPackage
#endif

/// nghttpd, a server of HTTP/2 that sends back what it is sent, with a certificate for localhost that an authority of the test has signed.
final class HTTP2Server: Sendable {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    let port: UInt16
    private let folder: URL

    /// Runs a closure with a server, which ends with it.
    static func with(
        _ options: [String] = [], tls: Bool = true, _ body: @Sendable (HTTP2Server) async throws -> Void
    ) async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("http2-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let files = try await Subprocess.run(
            .path("/bin/sh"), arguments: ["-c", Self.certificates], workingDirectory: FilePath(folder.path),
            output: .discarded,
            error: .string(limit: 1 << 20))
        if !files.terminationStatus.isSuccess { throw Failure(description: "openssl: \(files.standardError)") }
        // Free at this moment; another one is tried where it was taken since.
        for _ in 0..<20 {
            let server = HTTP2Server(port: try SilentPort().port, folder: folder)
            if try await server.run(options, tls: tls, body) { return }
        }
        throw Failure(description: "nghttpd did not start: \(try Self.log(in: folder))")
    }

    private init(port: UInt16, folder: URL) {
        self.port = port
        self.folder = folder
    }

    /// - Returns: Whether it could be run.
    private func run(
        _ options: [String], tls: Bool, _ body: @Sendable (HTTP2Server) async throws -> Void
    ) async throws -> Bool {
        // It ends with this process, however that ends.
        let command =
            ["exec setpriv --pdeathsig KILL nghttpd -v -a 127.0.0.1 --echo-upload"] + options
            + (tls ? ["\(self.port) server.key server.pem"] : ["--no-tls \(self.port)"]) + [">log 2>&1"]
        var platform = PlatformOptions()
        platform.teardownSequence = [.send(signal: .kill, allowedDurationToNextStep: .zero)]
        let script = "PATH=$PATH:/usr/sbin; " + command.joined(separator: " ")
        let result = try await Subprocess.run(
            .path("/bin/sh"), arguments: ["-c", script], workingDirectory: FilePath(self.folder.path),
            platformOptions: platform, input: .none, output: .discarded, error: .discarded
        ) { execution in
            defer { try? execution.send(signal: .kill) }
            for _ in 0..<4000 {
                if try Self.log(in: self.folder).contains("listen 127.0.0.1:\(self.port)") {
                    try await body(self)
                    return true
                }
                // It has ended.
                if (try? execution.send(signal: .init(rawValue: 0))) == nil { break }
                try await Task.sleep(for: .milliseconds(5))
            }
            return false
        }
        return result.closureResult
    }

    private static func log(in folder: URL) throws -> String {
        let log = folder.appendingPathComponent("log")
        return FileManager.default.fileExists(atPath: log.path) ? try String(contentsOf: log, encoding: .utf8) : ""
    }

    /// A file of the server's: `ca.pem`, `other.pem`, `client.pem`, `client.key`.
    func path(_ name: String) -> String { self.folder.appendingPathComponent(name).path }

    /// How many connections it has had.
    func connections() throws -> Int {
        // Each line of its log begins with the connection's number.
        let lines = try Self.log(in: self.folder).split(separator: "\n").filter { $0.hasPrefix("[id=") }
        return Set(lines.map { $0.prefix { $0 != "]" } }).count
    }

    /// Two authorities, of which the server's certificate is from the first; and a client's certificate.
    private static let certificates = """
        set -e
        for name in ca other; do
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=$name -keyout $name.key -out $name.pem
        done
        for name in server client; do
            openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=$name -keyout $name.key -out $name.csr
            printf 'subjectAltName=DNS:localhost\\nbasicConstraints=CA:FALSE\\n' > ext
            openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out $name.pem
        done
        """
}

import Dispatch
package import Foundation
import Synchronization

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// The shell that owns a server (`supervisor.sh`), seen from here: a command line in, a reply line out.
package final class ServerSupervisor: Sendable {
    /// The kind of server that a shell can own.
    package struct Server: Sendable {
        /// What is particular to it, as text for the shell.
        let script: [UInt8]
        /// The users as one of which it runs if we are root; none: it does not mind.
        let usersInsteadOfRoot: [String]
    }

    /// Exchanges block, so they have a thread of their own; being serial, it also keeps commands and replies in step.
    private let queue = DispatchQueue(label: "outbox.ephemeral-server")
    private let socket: FileHandle
    private let replies: Mutex<Replies>

    /// Starts the shell with a standard input of its own, whose closing ends it.
    package init(_ server: Server, environment: [String: String]) throws(EphemeralServerError) {
        let channel = try SupervisorChannel()
        let process = try Self.process(server, environment: environment)
        process.standardInput = channel.theirs
        process.standardOutput = channel.theirs
        process.standardError = channel.theirs
        do {
            try process.run()
        } catch {
            throw EphemeralServerError(
                .initialisationFailed, "The shell that runs the server did not start.", underlying: error)
        }
        try? channel.theirs.close()
        socket = channel.ours
        replies = Mutex(Replies(source: channel.ours))
    }

    // The shell's process may be kept by Foundation until it ends, and this socket must not wait for that.
    deinit {
        SupervisorChannel.finishSending(to: socket)
    }

    /// The shell, not yet running, as a user that the server accepts.
    package static func process(
        _ server: Server, environment: [String: String]
    ) throws(EphemeralServerError) -> Process {
        let script = String(decoding: PackageResources.supervisor_sh + server.script, as: UTF8.self)
        let process = Process()
        process.environment = environment
        // A child of root may not be allowed into the folder this process is in.
        process.currentDirectoryURL = URL(fileURLWithPath: "/")
        guard geteuid() == 0, !server.usersInsteadOfRoot.isEmpty else {
            process.executableURL = URL(fileURLWithPath: "/bin/sh")
            process.arguments = ["-c", script]
            return process
        }
        let user = try user(of: server.usersInsteadOfRoot)
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        if FileManager.default.isExecutableFile(atPath: "/usr/bin/setpriv") {
            let group = user.group
            process.arguments = [
                "/usr/bin/setpriv", "--reuid=\(user.name)", "--regid=\(group)", "--init-groups", "/bin/sh", "-c",
                script,
            ]
        } else {
            process.arguments = ["su", user.name, "-s", "/bin/sh", "-c", script]
        }
        return process
    }

    private static func user(of names: [String]) throws(EphemeralServerError) -> (name: String, group: String) {
        let accounts = (try? String(contentsOfFile: "/etc/passwd", encoding: .utf8)) ?? ""
        for name in names {
            for line in accounts.split(separator: "\n") where line.hasPrefix("\(name):") {
                let fields = line.split(separator: ":", omittingEmptySubsequences: false)
                if fields.count > 3 { return (name, String(fields[3])) }
            }
        }
        throw EphemeralServerError(
            .notInstalled, "The server does not run as root, and this machine has no user “\(names[0])”. Create one.")
    }

    /// Sends a command and returns what the shell replied, without blocking the caller's thread.
    package func send(_ command: String) async throws(EphemeralServerError) -> String {
        let result = await withCheckedContinuation { continuation in
            queue.async {
                continuation.resume(
                    returning: Result { () throws(EphemeralServerError) in try self.exchange(command) })
            }
        }
        return try result.get()
    }

    /// Ends the shell and with it the server; returns when both are gone and the folder is removed.
    package func close() async {
        await withCheckedContinuation { continuation in
            queue.async {
                SupervisorChannel.finishSending(to: self.socket)
                self.replies.withLock { $0.drain() }
                try? self.socket.close()
                continuation.resume()
            }
        }
    }

    private func exchange(_ command: String) throws(EphemeralServerError) -> String {
        guard SupervisorChannel.send(Array("\(command)\n".utf8), to: socket) else {
            throw EphemeralServerError(.stopped, "The server was stopped.")
        }
        return try replies.withLock { replies throws(EphemeralServerError) in try replies.next() }
    }
}

/// The shell's output, line by line.
private struct Replies {
    let source: FileHandle
    private var buffer: [UInt8] = []

    init(source: FileHandle) {
        self.source = source
    }

    /// Returns what followed the next `ok`; what came before it explains a failure.
    mutating func next() throws(EphemeralServerError) -> String {
        var explanation: [String] = []
        while let line = nextLine() {
            let words = line.split(separator: " ", maxSplits: 1)
            switch words.first {
            case "ok": return words.count > 1 ? String(words[1]) : ""
            case "failed": throw failure(words.count > 1 ? String(words[1]) : "", explanation)
            default: explanation.append(line)
            }
        }
        throw failure("ended", explanation)
    }

    /// Waits until the shell has ended.
    mutating func drain() {
        guard source.fileDescriptor >= 0 else { return }
        while nextLine() != nil {}
    }

    private mutating func nextLine() -> String? {
        while true {
            if let end = buffer.firstIndex(of: UInt8(ascii: "\n")) {
                defer { buffer.removeSubrange(...end) }
                return String(decoding: buffer[..<end], as: UTF8.self)
            }
            let more = Self.read(from: source.fileDescriptor)
            if more.isEmpty { return nil }
            buffer.append(contentsOf: more)
        }
    }

    /// What there is; nothing at the end, which a connection that is reset is as well. `FileHandle` would stop the process.
    private static func read(from descriptor: Int32) -> [UInt8] {
        while true {
            var wasInterrupted = false
            let bytes = unsafe [UInt8](unsafeUninitializedCapacity: 4096) { buffer, filled in
                #if canImport(Darwin)
                let count = unsafe Darwin.read(descriptor, buffer.baseAddress, 4096)
                #elseif canImport(Musl)
                let count = unsafe Musl.read(descriptor, buffer.baseAddress, 4096)
                #else
                let count = unsafe Glibc.read(descriptor, buffer.baseAddress, 4096)
                #endif
                filled = max(count, 0)
                wasInterrupted = count < 0 && errno == EINTR
            }
            if !wasInterrupted { return bytes }
        }
    }

    private func failure(_ reason: String, _ explanation: [String]) -> EphemeralServerError {
        let detail = explanation.joined(separator: "\n")
        return switch reason {
        case "folder":
            EphemeralServerError(
                .initialisationFailed,
                "The server's folder could not be made in the folder for temporary files (TMPDIR): it is not there, or not for everybody.",
                detail: detail)
        case "prepare":
            EphemeralServerError(.initialisationFailed, "The server’s data could not be made.", detail: detail)
        case "exited":
            EphemeralServerError(.startFailed, "The server ended before it accepted connections.", detail: detail)
        case "limit":
            EphemeralServerError(.startFailed, "The server took longer to start than the limit.", detail: detail)
        case "running":
            EphemeralServerError(.startFailed, "The server runs already.", detail: detail)
        default:
            EphemeralServerError(.stopped, "The shell that runs the server has ended.", detail: detail)
        }
    }
}

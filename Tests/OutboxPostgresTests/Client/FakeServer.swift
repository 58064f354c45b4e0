import Foundation
import Synchronization

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// Speaks the protocol of Postgres (version 3) on a Unix socket, and answers as the protocol allows and as its random generator likes:
/// with errors in the place of any answer and at the end of any transaction, with notices, notifications and parameters in between, and
/// with an end of the connection after any byte. Remembers what it has made durable.
final class FakeServer: Sendable {
    struct Failure: Error {}

    /// How likely it is that something happens, at each place at which it may.
    struct Odds: Sendable {
        var error = 0.03
        var errorAtSync = 0.06
        var unasked = 0.15
        /// Of an answer to a whole operation.
        var cut = 0.06
        var fatal = 0.01
    }

    /// What the server knows and the test compares.
    struct Record: Sendable {
        /// Statements whose transaction was committed.
        var durable: Set<String> = []
        /// The conditions of the errors since the last ``FakeServer/begin()``.
        var errors: [String] = []
        /// The payloads of the notifications that were sent completely on the connection that there is.
        var notified: [String] = []
        var connections = 0
    }

    let folder: String
    private let listener: CInt
    private let state: Mutex<(record: Record, random: SplitMix, odds: Odds)>

    init(seed: UInt64, odds: Odds) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "fake-\(UUID().uuidString.prefix(8))"
        ).path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        self.folder = folder
        state = Mutex((Record(), SplitMix(state: seed), odds))
        let listener = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { bytes in
            unsafe bytes.copyBytes(from: Array("\(folder)/.s.PGSQL.5432".utf8).prefix(bytes.count - 1))
        }
        let isBound = unsafe withUnsafePointer(to: &address) { address in
            unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe bind(listener, address, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
                    && listen(listener, 16) == 0
            }
        }
        guard isBound else { throw Failure() }
        self.listener = listener
        Thread.detachNewThread { [self] in accept() }
    }

    /// Ends the thread that accepts. Connections end with their clients.
    func end() {
        _ = shutdown(listener, CInt(SHUT_RDWR))
        try? FileManager.default.removeItem(atPath: folder)
    }

    var record: Record { state.withLock { $0.record } }

    /// A new operation begins.
    func begin() {
        state.withLock { $0.record.errors = [] }
    }

    fileprivate func update(_ body: (inout Record) -> Void) {
        state.withLock { body(&$0.record) }
    }

    fileprivate func chance(_ odds: (Odds) -> Double) -> Bool {
        state.withLock { Double.random(in: 0..<1, using: &$0.random) < odds($0.odds) }
    }

    fileprivate func number(below end: Int) -> Int {
        state.withLock { Int.random(in: 0..<end, using: &$0.random) }
    }

    private func accept() {
        while true {
            #if canImport(Darwin)
            let client = Darwin.accept(listener, nil, nil)
            #elseif canImport(Musl)
            let client = Musl.accept(listener, nil, nil)
            #else
            let client = Glibc.accept(listener, nil, nil)
            #endif
            if client < 0 { break }
            Thread.detachNewThread { [self] in FakeSession(server: self, descriptor: client).run() }
        }
        _ = close(listener)
    }
}

/// One connection. Used on its thread only.
private final class FakeSession {
    private struct End: Error {}

    private let server: FakeServer
    private let descriptor: CInt
    /// How many bytes are sent before the connection ends; nil: all.
    private var budget: Int?
    private var notificationCount = 0

    private var status = UInt8(ascii: "I")
    /// Of the transaction that is open, be it begun by BEGIN or not.
    private var pending: [String] = []
    private var parsed: [String: String] = [:]
    private var bound = ""
    /// Until the next Sync, everything is passed over.
    private var hasFailed = false

    init(server: FakeServer, descriptor: CInt) {
        self.server = server
        self.descriptor = descriptor
    }

    func run() {
        defer { _ = close(descriptor) }
        do {
            let length = Int(integer(try read(4)))
            let startup = try read(length - 4)
            // A cancel request: the server is free to pass over it.
            if startup.starts(with: [4, 210, 22, 46]) { return }
            server.update {
                $0.connections += 1
                $0.notified = []
            }
            try send("R", bytes(0))
            for (name, value) in [
                ("server_version", "15.1"), ("client_encoding", "UTF8"), ("standard_conforming_strings", "on"),
            ] {
                try send("S", text(name) + text(value))
            }
            try send("K", bytes(4242) + bytes(1))
            try ready()
            while true { try answer() }
        } catch {
            // The client has gone, or the connection was to end.
        }
    }

    // MARK: The protocol

    private func answer() throws {
        let type = try read(1)[0]
        let body = try read(Int(integer(try read(4))) - 4)
        // Decided where an answer begins, so that cuts come in all lengths of answers.
        if budget == nil, server.chance(\.cut) { budget = server.number(below: 600) }
        if server.chance({ $0.fatal }) {
            try error("57P01", severity: "FATAL")
            throw End()
        }
        switch type {
        case UInt8(ascii: "X"): throw End()
        case UInt8(ascii: "S"): return try sync()
        case UInt8(ascii: "Q"): return try simple(String(decoding: body.dropLast(), as: UTF8.self))
        case UInt8(ascii: "H"), UInt8(ascii: "d"), UInt8(ascii: "c"), UInt8(ascii: "f"): return
        default: break
        }
        if hasFailed { return }
        if server.chance(\.error) { return try fail() }
        try unasked()
        let parts = body.split(separator: 0, maxSplits: 2, omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        switch type {
        case UInt8(ascii: "P"):
            parsed[parts[0]] = parts[1]
            try send("1", [])
        case UInt8(ascii: "B"):
            bound = parsed[parts[1]] ?? ""
            try send("2", [])
        case UInt8(ascii: "D"): try describe(bound)
        case UInt8(ascii: "E"): try execute(bound)
        default: throw End()
        }
    }

    private func sync() throws {
        if !hasFailed, server.chance(\.errorAtSync) { try fail() }
        endOfImplicitTransaction()
        hasFailed = false
        try ready()
    }

    private func endOfImplicitTransaction() {
        guard status == UInt8(ascii: "I") else { return }
        if !hasFailed { server.update { $0.durable.formUnion(pending) } }
        pending = []
    }

    private func simple(_ script: String) throws {
        for statement in script.split(separator: ";").map(String.init) where !hasFailed {
            if server.chance(\.error) {
                try fail()
            } else if statement.hasPrefix("COPY") {
                try copy(statement)
            } else {
                try unasked()
                if !isControl(statement) { try describe(statement) }
                try execute(statement)
            }
        }
        if !hasFailed, server.chance(\.errorAtSync) { try fail() }
        endOfImplicitTransaction()
        hasFailed = false
        try ready()
    }

    private func copy(_ statement: String) throws {
        try send("G", [0, 0, 0])
        while true {
            let type = try read(1)[0]
            _ = try read(Int(integer(try read(4))) - 4)
            if server.chance(\.error) {
                try fail()
                // The client goes on to send until it has seen it.
                var last = type
                while last != UInt8(ascii: "c"), last != UInt8(ascii: "f") {
                    last = try read(1)[0]
                    _ = try read(Int(integer(try read(4))) - 4)
                }
                return
            }
            if type == UInt8(ascii: "f") { return try fail() }
            if type == UInt8(ascii: "c") { break }
            try unasked()
        }
        pending.append(statement)
        try send("C", text("COPY 2"))
    }

    private func isControl(_ statement: String) -> Bool {
        ["BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE"].contains { statement.hasPrefix($0) }
    }

    private func describe(_ statement: String) throws {
        if isControl(statement) { return try send("n", []) }
        try send("T", [0, 1] + text("v") + bytes(0) + [0, 0] + bytes(20) + [0, 8] + bytes(-1) + [0, 1])
    }

    private func execute(_ statement: String) throws {
        var tag = "SELECT 1"
        if statement.hasPrefix("BEGIN") {
            (status, tag) = (UInt8(ascii: "T"), "BEGIN")
            pending = []
        } else if statement.hasPrefix("COMMIT") {
            tag = status == UInt8(ascii: "E") ? "ROLLBACK" : "COMMIT"
            if status == UInt8(ascii: "E") { pending = [] }
            status = UInt8(ascii: "I")
        } else if statement.hasPrefix("ROLLBACK") {
            tag = "ROLLBACK"
            pending = []
            status = UInt8(ascii: statement.hasPrefix("ROLLBACK TO") ? "T" : "I")
        } else if status == UInt8(ascii: "E") {
            return try fail("25P02")
        } else if isControl(statement) {
            tag = String(statement.prefix { $0 != " " })
        } else {
            pending.append(statement)
            for _ in 0..<server.number(below: 3) {
                try unasked()
                try send("D", [0, 1] + bytes(8) + bytes(0) + bytes(7))
            }
        }
        try unasked()
        try send("C", text(tag))
    }

    private func fail(_ state: String? = nil) throws {
        hasFailed = true
        pending = []
        if status == UInt8(ascii: "T") { status = UInt8(ascii: "E") }
        try error(state ?? ["40001", "23505", "54000", "22012", "57014"][server.number(below: 5)], severity: "ERROR")
    }

    private func error(_ state: String, severity: String) throws {
        server.update { $0.errors.append(state) }
        try send("E", text("S\(severity)") + text("V\(severity)") + text("C\(state)") + text("Mrefused") + [0])
        try unasked()
    }

    private func ready() throws {
        try unasked()
        try send("Z", [status])
        // The next operation has its own chance.
        budget = nil
    }

    /// What a server may say at any time.
    private func unasked() throws {
        while server.chance(\.unasked) {
            switch server.number(below: 3) {
            case 0: try send("N", text("SNOTICE") + text("VNOTICE") + text("C00000") + text("Mby the way") + [0])
            case 1: try send("S", text("application_name") + text("a\(server.number(below: 9))"))
            default:
                notificationCount += 1
                let payload = "\(notificationCount)"
                try send("A", bytes(7) + text("channel") + text(payload))
                server.update { $0.notified.append(payload) }
            }
        }
    }

    // MARK: Bytes

    private func send(_ type: String, _ body: [UInt8]) throws {
        let message = Array(type.utf8) + bytes(Int32(body.count + 4)) + body
        let count = min(message.count, budget ?? .max)
        var sent = 0
        while sent < count {
            let written = unsafe message.withUnsafeBytes {
                unsafe Glibc.send(descriptor, $0.baseAddress! + sent, count - sent, CInt(MSG_NOSIGNAL))
            }
            if written <= 0 { throw End() }
            sent += written
        }
        if budget != nil { budget! -= count }
        if count < message.count { throw End() }
    }

    private func read(_ count: Int) throws -> [UInt8] {
        var result = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let received = unsafe result.withUnsafeMutableBytes {
                unsafe Glibc.read(descriptor, $0.baseAddress! + filled, count - filled)
            }
            if received <= 0 { throw End() }
            filled += received
        }
        return result
    }

    private func integer(_ bytes: [UInt8]) -> Int32 {
        bytes.reduce(0) { $0 << 8 | Int32($1) }
    }

    private func bytes(_ number: Int32) -> [UInt8] {
        unsafe withUnsafeBytes(of: number.bigEndian) { unsafe Array($0) }
    }

    private func text(_ text: String) -> [UInt8] {
        Array(text.utf8) + [0]
    }
}

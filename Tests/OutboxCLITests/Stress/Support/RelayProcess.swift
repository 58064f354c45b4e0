import Foundation
import Synchronization
import Testing

#if canImport(System)
import System
#else
import SystemPackage
#endif

/// The relay as a process that can be killed.
final class RelayProcess: Sendable {
    private struct State {
        var process: Process?
        var disturbances = 0
        var isHeld = false
    }

    private let arguments: [String]
    private let guarded = Mutex(State())

    private init(_ arguments: [String]) {
        self.arguments = arguments
    }

    /// Runs the relay for as long as `body` does, with the arguments of `outbox`. It is ended too when `body` throws.
    static func with(_ arguments: [String], _ body: (RelayProcess) async throws -> Void) async throws {
        let relay = RelayProcess(arguments)
        try relay.ensureRunning()
        do {
            try await body(relay)
        } catch {
            try await relay.kill()
            throw error
        }
    }

    /// How often it was killed or lost its session.
    var disturbances: Int { self.guarded.withLock { $0.disturbances } }

    /// Whether the process runs, for a failure's report.
    var state: String {
        self.isRunning ? "the relay runs" : "the relay has ended"
    }

    func noteDisturbance() {
        self.guarded.withLock { $0.disturbances += 1 }
    }

    /// Starts it, unless it runs: again as well, as a process manager would, if it has ended by itself. A message may kill it, and a
    /// session that is lost while the program checks the schema, before it runs the relay, ends it.
    func ensureRunning() throws {
        let arguments = self.arguments
        try self.guarded.withLock { state in
            if state.isHeld || state.process?.isRunning == true { return }
            let process = Process()
            process.executableURL = URL(fileURLWithPath: Program.path.string)
            process.arguments = arguments
            process.standardInput = FileHandle.nullDevice
            process.standardOutput = FileHandle.nullDevice
            try process.run()
            state.process = process
        }
    }

    private var isRunning: Bool { self.guarded.withLock { $0.process?.isRunning == true } }

    /// SIGKILL. Returns when the process is gone; another one may have been started by then.
    func kill() async throws {
        let killed: Process? = self.guarded.withLock { state in
            guard let process = state.process, process.isRunning else { return nil }
            Foundation.kill(process.processIdentifier, SIGKILL)
            state.disturbances += 1
            return process
        }
        if let killed { try await until("the relay is dead") { !killed.isRunning } }
    }

    /// SIGSTOP, or SIGCONT.
    func freeze(_ isFrozen: Bool) {
        self.guarded.withLock { state in
            guard let process = state.process else { return }
            Foundation.kill(process.processIdentifier, isFrozen ? SIGSTOP : SIGCONT)
        }
    }

    /// Kills it, and keeps it from being started until ``release()``.
    func hold() async throws {
        self.guarded.withLock { $0.isHeld = true }
        try await self.kill()
    }

    func release() throws {
        self.guarded.withLock { $0.isHeld = false }
        try self.ensureRunning()
    }

    /// SIGTERM, without waiting.
    func terminate() {
        self.guarded.withLock { $0.process?.terminate() }
    }

    /// SIGTERM.
    ///
    /// - Returns: The exit status.
    func stop() async throws -> Int32 {
        while true {
            try self.ensureRunning()
            self.guarded.withLock { $0.process?.terminate() }
            try await until("the relay ends") { !self.isRunning }
            let process = self.guarded.withLock { $0.process }
            // One that has just been started does not know yet that signals are for it.
            if process?.terminationReason == .uncaughtSignal, process?.terminationStatus == SIGTERM { continue }
            return process?.terminationStatus ?? -1
        }
    }
}

/// Waits for a condition, for three minutes at most.
func until(_ what: Comment, _ condition: () async throws -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(180)
    while try await !condition() {
        if ContinuousClock.now > deadline {
            Issue.record("not within three minutes: \(what)")
            throw CancellationError()
        }
        try await Task.sleep(for: .milliseconds(10))
    }
}

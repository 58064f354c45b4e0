import Dispatch
import OutboxRuntime
import Synchronization

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// Writes whole lines to a file or a pipe, from many lanes at once, on a thread of its own.
///
/// ``write(_:)`` returns when its lines are with the operating system. What comes in while a write is
/// running goes out together with the next one, so the more lanes write, the fewer writes there are.
final class LineWriter: Sendable {
    private struct State {
        var pending: [UInt8] = []
        /// The calls whose lines are in `pending`.
        var callers: [Answer<Void>] = []
        var isWriting = false
        /// A write has ended in the middle of a line, so the next has to begin a new one.
        var isMidLine: Bool
        var isClosed = false
        var descriptor: Descriptor
    }

    /// The path of a file; nil: stdout.
    private let path: String?
    private let queue = DispatchQueue(label: "outbox.lines")
    private let state: Mutex<State>
    private let readerGone: @Sendable () -> Void

    /// A writer to stdout.
    ///
    /// - Parameter readerGone: Called when stdout has lost its reader. What was to be written waits until it is cancelled.
    init(standardOutput readerGone: @escaping @Sendable () -> Void) {
        self.path = nil
        self.readerGone = readerGone
        self.state = Mutex(State(isMidLine: false, descriptor: Descriptor(STDOUT_FILENO)))
        Self.watchReader(of: STDOUT_FILENO, readerGone)
    }

    /// A writer that appends to a file, which is created where it does not exist. Where it was moved or removed, the next
    /// line begins a new one.
    ///
    /// - Throws: A ``CommandFailure`` when it cannot be opened.
    init(appendingTo path: String) throws {
        self.path = path
        self.readerGone = {}
        do throws(Descriptor.Failure) {
            let (descriptor, isMidLine) = try Self.open(path)
            self.state = Mutex(State(isMidLine: isMidLine, descriptor: descriptor))
        } catch {
            throw CommandFailure(.cannotCreate, "\(path): \(error.reason)")
        }
    }

    deinit {
        if self.path != nil { _ = close(self.state.withLock(\.descriptor).number) }
    }

    private static func open(_ path: String) throws(Descriptor.Failure) -> (Descriptor, isMidLine: Bool) {
        #if canImport(Darwin)
        let number = unsafe Darwin.open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        #elseif canImport(Musl)
        let number = unsafe Musl.open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        #else
        let number = unsafe Glibc.open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        #endif
        if number < 0 { throw Descriptor.Failure(code: errno) }
        // A program that was killed while it wrote may have left half a line.
        var last: UInt8 = 0x0A
        let end = lseek(number, 0, SEEK_END)
        if end > 0 { _ = unsafe pread(number, &last, 1, end - 1) }
        return (Descriptor(number), last != 0x0A)
    }

    /// Opens the file again if its name leads to another file by now, as after a rotation.
    private func followPath() throws(Descriptor.Failure) -> Descriptor {
        let current = self.state.withLock(\.descriptor)
        guard let path else { return current }
        var opened = stat()
        var named = stat()
        _ = unsafe fstat(current.number, &opened)
        let isThere = unsafe stat(path, &named) == 0
        if isThere, named.st_dev == opened.st_dev, named.st_ino == opened.st_ino { return current }
        let (descriptor, isMidLine) = try Self.open(path)
        self.state.withLock { state in
            state.descriptor = descriptor
            state.isMidLine = isMidLine
        }
        _ = close(current.number)
        return descriptor
    }

    /// Notices a reader that goes away while there is nothing to write.
    private static func watchReader(of number: Int32, _ readerGone: @escaping @Sendable () -> Void) {
        var facts = stat()
        guard unsafe fstat(number, &facts) == 0, facts.st_mode & S_IFMT == S_IFIFO else { return }
        DispatchQueue(label: "outbox.reader").async {
            var end = pollfd(fd: number, events: 0, revents: 0)
            while unsafe poll(&end, 1, -1) < 0, errno == EINTR {}
            if end.revents & Int16(POLLERR) != 0 { readerGone() }
        }
    }

    /// Writes lines, the last of which ends too.
    ///
    /// - Throws: A `Descriptor.Failure` when they could not be written; `CancellationError`, in which case they may have
    ///   been written or not.
    func write(_ lines: [UInt8]) async throws {
        try Task.checkCancellation()
        let answer = Answer<Void>()
        let isFirst = self.state.withLock { state in
            if state.isClosed { return false }
            state.pending.append(contentsOf: lines)
            state.callers.append(answer)
            defer { state.isWriting = true }
            return !state.isWriting
        }
        if isFirst { self.queue.async { self.drain() } }
        try await answer.wait()
    }

    private func drain() {
        while true {
            let place = Result { () throws(Descriptor.Failure) in try self.followPath() }
            guard let (lines, callers) = self.takePending() else { return }
            let failure: Descriptor.Failure? =
                switch place {
                case .success(let descriptor): descriptor.writeAll(lines[...])
                case .failure(let failure): failure
                }
            if let failure, failure.isBrokenPipe {
                // The callers keep waiting: their lines were not written, and the messages are not the cause.
                self.state.withLock { $0.isClosed = true }
                return self.readerGone()
            }
            if let failure, failure.written > 0 {
                self.state.withLock { $0.isMidLine = lines[failure.written - 1] != 0x0A }
            }
            for caller in callers { caller.give(failure.map(Result.failure) ?? .success(())) }
        }
    }

    private func takePending() -> (lines: [UInt8], callers: [Answer<Void>])? {
        self.state.withLock { state in
            guard !state.callers.isEmpty else {
                state.isWriting = false
                return nil
            }
            defer {
                state.pending = []
                state.callers = []
                state.isMidLine = false
            }
            return (state.isMidLine ? [0x0A] + state.pending : state.pending, state.callers)
        }
    }
}

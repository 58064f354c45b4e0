import Dispatch
import OutboxPostgres
import OutboxRuntime
import UnixSignals

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// Shows the state of an outbox on a terminal until a person has seen enough. What is shown is a ``StatusView``; this brings it keys, looks
/// and the terminal's size, and draws it.
struct StatusScreen {
    let server: ServerOptions
    let subscription: String
    let interval: Duration
    let terminal = Terminal.output

    private enum Event {
        case report(StatusFeed.Report)
        /// What was pressed; nil: the terminal is gone.
        case keys([Key]?)
        /// The size of the terminal has changed.
        case resize
        /// The process goes on after it was stopped.
        case resume
        /// A second has passed.
        case tick
        /// The terminal is gone, or the process is to end.
        case end
    }

    /// Whether there is a terminal to draw on and to read keys from.
    static var isPossible: Bool { Terminal.output.isInteractive && isatty(STDIN_FILENO) == 1 }

    /// - Throws: What goes wrong before anything was shown.
    func run() async throws {
        let title = StatusOutput.title(try self.server.schema, subscription: self.subscription)
        let (events, continuation) = AsyncStream<Event>.makeStream()
        let session = TerminalSession(input: STDIN_FILENO, output: STDOUT_FILENO)
        defer { session.leave() }
        let signals = await UnixSignalsSequence(
            trapping: .sigint, .sigterm, .sighup, .sigwinch, .sigcont)
        let stops = [SIGTSTP, SIGQUIT].map { signal in
            Self.source(of: signal) {
                session.leave()
                DefaultAction.take(on: signal)
                continuation.yield(.resume)
            }
        }
        defer { for stop in stops { stop.cancel() } }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for await signal in signals {
                    switch signal {
                    case .sigwinch: continuation.yield(.resize)
                    case .sigcont: continuation.yield(.resume)
                    default: continuation.yield(.end)
                    }
                }
            }
            group.addTask {
                let feed = StatusFeed(server: self.server, subscription: self.subscription, interval: self.interval)
                try await feed.run { continuation.yield(.report($0)) }
            }
            group.addTask {
                while true {
                    try await Task.sleep(for: .seconds(1))
                    continuation.yield(.tick)
                }
            }
            group.addTask {
                let view = StatusView(title: title, interval: self.interval, size: self.terminal.size)
                await self.show(view, events, continuation, on: session)
                // The person does not wait for the server.
                session.leave()
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    /// Shows what there is as it changes, until it is to end.
    private func show(
        _ first: StatusView, _ events: AsyncStream<Event>, _ continuation: AsyncStream<Event>.Continuation,
        on session: TerminalSession
    ) async {
        let clock = ContinuousClock()
        var view = first
        // The terminal is taken when there is something to show: an error before that is a line like any other.
        var reader: KeyReader?
        for await event in events {
            var isUnknown = false
            switch event {
            case .report(.status(let status)):
                view.show(status, at: clock.now)
                if reader == nil {
                    session.enter()
                    reader = KeyReader(STDIN_FILENO) { continuation.yield(.keys($0)) }
                }
            case .report(.failure(let reason, let next)): view.lose(StatusView.Loss(reason: reason, next: next))
            case .keys(let keys?):
                for key in keys {
                    switch view.press(key) {
                    case .end: return
                    case .redraw: isUnknown = true
                    case nil: break
                    }
                }
            case .resize:
                view.size = self.terminal.size
                isUnknown = true
            case .resume:
                view.size = self.terminal.size
                if reader != nil { session.enter() }
            case .tick: break
            case .keys(nil), .end: return
            }
            let lines = view.lines(at: clock.now).map { $0.text(on: self.terminal) }
            if !session.draw(lines, over: isUnknown) { return }
        }
    }

    /// Calls back, on a thread of its own, when a signal comes.
    private static func source(
        of number: Int32, _ receive: @escaping @Sendable () -> Void
    ) -> any DispatchSourceSignal {
        #if canImport(Darwin)
        signal(number, SIG_IGN)
        #endif
        let source = DispatchSource.makeSignalSource(signal: number, queue: DispatchQueue(label: "outbox.signals"))
        source.setEventHandler(handler: receive)
        source.activate()
        return source
    }
}

import Foundation
import OutboxTestServers
import Testing

/// `outbox status --watch` on a terminal with a person.
@Suite(.timeLimit(.minutes(10))) struct StatusScreenTests {
    private static let watch = #""$outbox" status "$@" --watch --interval 200ms"#

    private func enqueue(_ count: Int, on outbox: TestOutbox) async throws {
        try await outbox.sql(
            """
            SELECT count(*)::text FROM generate_series(1, \(count)) AS number,
                LATERAL {{schema}}.enqueue('destination ' || number, 'x')
            """)
    }

    /// Nothing of it is left on the terminal.
    private func isGivenBack(_ terminal: PseudoTerminal, mode: PseudoTerminal.Mode) {
        #expect(terminal.mode == mode && mode.isForLines)
        let screen = terminal.screen
        #expect(!screen.isAlternate && screen.hasCursor && screen.wrapsLines)
        #expect(screen.overflow == 0 && screen.unknown.isEmpty, "\(screen.unknown)")
    }

    @Test func aPersonScrollsFiltersResizesAndEndsIt() async throws {
        let outbox = try await TestOutbox.migrated()
        try await self.enqueue(1000, on: outbox)
        // Keys do not wait for a look.
        let watch = Self.watch.replacing("200ms", with: "1h")
        let ending = try await PseudoTerminal.run(watch, on: outbox) { terminal in
            let mode = terminal.mode
            try await terminal.shows("the first screen") { $0.lines[22] == "0 above, 981 below" }
            let first = terminal.screen
            #expect(first.isAlternate && !first.hasCursor && first.overflow == 0 && first.unknown.isEmpty)
            #expect(first.lines[0].hasPrefix("outbox “\(outbox.schema)”"))
            #expect(first.lines[1] == "no relay is working; 1,000 streams: 1,000 not delivered")
            #expect(first.lines[2].hasPrefix("DESTINATION") && first.lines[2].contains("  STATE "))
            #expect(first.lines[3...21].allSatisfy { $0.contains("never served") })
            #expect(first.lines[23] == "q quit  / filter  ? keys")
            #expect(String(decoding: first.bytes, as: UTF8.self).contains("\u{1B}[31m"))
            #expect(!terminal.mode.isForLines)
            terminal.type("\u{1B}[6~")
            try await terminal.shows("a page further down") { $0.lines[22] == "19 above, 962 below" }
            terminal.type("G")
            try await terminal.shows("the last lines") {
                $0.lines[22].hasSuffix(" above, 0 below") && $0.lines[21].hasPrefix("log: ")
            }
            terminal.type("/n 99")
            try await terminal.shows("what the filter lets through") {
                $0.lines[22] == "all shown; 11 of 1,000 with “n 99”" && $0.lines[23] == "/n 99▏"
            }
            #expect(terminal.screen.lines[3...13].allSatisfy { $0.hasPrefix("destination 99") })
            terminal.resize(width: 100, height: 40)
            try await terminal.shows("all of a larger window") {
                $0.lines[38] == "all shown; 11 of 1,000 with “n 99”" && $0.lines[39] == "/n 99▏"
            }
            // Escape alone, which could be the beginning of an arrow.
            terminal.type("\u{1B}")
            try await terminal.shows("all again") { $0.lines[38] == "0 above, 965 below" }
            terminal.resize(width: 40, height: 10)
            try await terminal.shows("all of a smaller window") { $0.lines[8] == "0 above, 995 below" }
            #expect(terminal.screen.overflow == 0)
            terminal.type("?")
            try await terminal.shows("the keys") { $0.lines[9].hasPrefix("q quit  / filter  Esc clear") }
            terminal.type("q")
            try await terminal.shows("the terminal as it was") { !$0.isAlternate && terminal.mode == mode }
            self.isGivenBack(terminal, mode: mode)
        }
        #expect(ending.status == 0)
    }

    /// Since when there is nothing newer, and why.
    private func isOld(_ screen: TerminalScreen) -> Bool {
        screen.lines[0].hasSuffix(" old)")
            && ["next attempt in ", "trying again: "].contains { screen.lines[1].hasPrefix($0) }
    }

    /// The picture stays while the server is away, and says so; it goes on by itself.
    @Test func itGoesOnWhenTheServerHasBeenAway() async throws {
        let server = try await EphemeralPostgres.start()
        let outbox = TestOutbox(schema: "outbox", url: server.url)
        try await outbox("migrate", "up")
        try await self.enqueue(3, on: outbox)
        let ending = try await PseudoTerminal.run(Self.watch, on: outbox) { terminal in
            let mode = terminal.mode
            try await terminal.shows("the first screen") { $0.lines[5].hasPrefix("destination 3") }
            try await server.kill()
            try await terminal.shows("that it is old, and why", self.isOld)
            // It can be looked at meanwhile.
            terminal.type("/2")
            try await terminal.shows("the last picture, filtered") {
                $0.lines[3].hasPrefix("destination 2") && $0.lines[22] == "all shown; 1 of 3 with “2”"
            }
            #expect(self.isOld(terminal.screen))
            terminal.type("\u{1B}")
            try await terminal.shows("a further attempt") { $0.lines[1].contains("no connection to the server") }
            try await server.startAgain()
            try await self.enqueue(4, on: outbox)
            try await terminal.shows("what has come since") {
                $0.lines[6].hasPrefix("destination 4") && $0.lines[1].hasPrefix("no relay is working; 4 streams")
            }
            try await server.kill()
            try await terminal.shows("that it is old", self.isOld)
            terminal.type("q")
            try await terminal.shows("the terminal as it was") { !$0.isAlternate && terminal.mode == mode }
            self.isGivenBack(terminal, mode: mode)
        }
        #expect(ending.status == 0)
        await server.stop()
    }

    /// However it ends, the terminal is as it was. Ctrl-\ is for a program that does nothing else any more.
    @Test(arguments: [
        ("\u{03}", nil, 0), ("\u{1C}", nil, 131), ("", "TERM", 0), ("", "HUP", 0), ("", "INT", 0),
    ])
    func theTerminalIsGivenBack(keys: String, signal: String?, status: Int32) async throws {
        let outbox = try await TestOutbox.migrated()
        try await withTemporaryFolder { folder in
            let script = "ulimit -c 0; echo $$ >'\(folder)/pid'; exec " + Self.watch
            let ending = try await PseudoTerminal.run(script, on: outbox) { terminal in
                let mode = terminal.mode
                try await terminal.shows("the first screen") { $0.lines[1].hasPrefix("no relay is working") }
                #expect(!terminal.mode.isForLines)
                terminal.type(keys)
                if let signal {
                    _ = try await Program.shell("kill -s \(signal) $(cat '\(folder)/pid')")
                }
                try await terminal.shows("the terminal as it was") { !$0.isAlternate && terminal.mode == mode }
                self.isGivenBack(terminal, mode: mode)
            }
            #expect(ending.status == status)
        }
    }

    /// Ctrl-Z gives the terminal to the shell, and it goes on where it was.
    @Test func itIsStoppedAndGoesOn() async throws {
        let outbox = try await TestOutbox.migrated()
        try await self.enqueue(30, on: outbox)
        let script = """
            set -m
            \(Self.watch)
            echo "stopped with $?"
            read -r line
            fg >/dev/null
            echo "ended with $?"
            """
        let ending = try await PseudoTerminal.run(script, on: outbox) { terminal in
            let mode = terminal.mode
            try await terminal.shows("the first screen") { $0.lines[22] == "0 above, 11 below" }
            terminal.type("jj")
            try await terminal.shows("what is further down") { $0.lines[22] == "2 above, 9 below" }
            terminal.type("\u{1A}")
            try await terminal.shows("the shell") { $0.lines.contains("stopped with 148") }
            self.isGivenBack(terminal, mode: mode)
            terminal.type("go on\n")
            try await terminal.shows("the same as before") { $0.isAlternate && $0.lines[22] == "2 above, 9 below" }
            #expect(!terminal.mode.isForLines)
            terminal.type("q")
            try await terminal.shows("the shell again") { $0.lines.contains("ended with 0") }
            self.isGivenBack(terminal, mode: mode)
        }
        #expect(ending.status == 0)
    }

    @Test func withoutColoursNothingStandsOut() async throws {
        let outbox = try await TestOutbox.migrated()
        try await self.enqueue(3, on: outbox)
        let ending = try await PseudoTerminal.run(Self.watch, on: outbox, environment: ["NO_COLOR": "1"]) { terminal in
            try await terminal.shows("the first screen") { $0.lines[5].hasPrefix("destination 3") }
            let written = String(decoding: terminal.screen.bytes, as: UTF8.self)
            #expect(written.firstMatch(of: #/\x{1B}\[[0-9;]*m/#) == nil)
            terminal.type("q")
        }
        #expect(ending.status == 0)
    }

    /// What cannot be shown even once is an error, on the terminal as it is.
    @Test func whatIsWrongFromTheBeginningEndsIt() async throws {
        let outbox = try await TestOutbox.named()
        let ending = try await PseudoTerminal.run(Self.watch, on: outbox) { terminal in
            let mode = terminal.mode
            try await terminal.shows("the error") { $0.lines.contains { $0.hasPrefix("outbox: ") } }
            #expect(!String(decoding: terminal.screen.bytes, as: UTF8.self).contains("\u{1B}[?1049h"))
            self.isGivenBack(terminal, mode: mode)
        }
        #expect(ending.status == 78)
    }
}

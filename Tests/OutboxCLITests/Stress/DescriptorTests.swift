import Foundation
import OutboxPostgres
import Testing

/// A relay's process that may open no more files and sockets.
@Suite(.timeLimit(.minutes(5))) struct DescriptorTests {
    /// What it has open goes on to work. Its session is lost meanwhile, and a command for a message cannot be started.
    ///
    /// Where work waits for a processor, libdispatch ends such a process (SIGILL, 132 in a shell): it looks each second what its threads do, in files that
    /// it cannot open (`_dispatch_workq_count_runnable_workers`). Then it is started again, as whatever runs it does.
    @Test func aRelayWithoutDescriptorsTriesAgainUntilItHasSome() async throws {
        let outbox = try await TestOutbox.migrated()
        try await withTemporaryFolder { folder in
            async let ending = outbox.shell(
                """
                eventually() { n=0; until "$@"; do n=$((n + 1)); [ $n -lt 6000 ] || exit 99; sleep 0.01; done; }
                has() { [ "$(grep -c "$1" "$2")" -ge "${3:-1}" ]; }
                # The shell may have taken its end already.
                hasEnded() { [ ! -e /proc/$relay/status ] || grep -qs '^State:.*Z' /proc/$relay/status; }
                says() { has "$1" err "${2:-1}" || hasEnded; }
                run() {
                    "$outbox" relay "$@" --log-level debug --initial-delay 10ms --max-delay 20ms --max-attempts 3 \\
                        --route 'd=exec:echo "$(cat)" >>delivered' >>out 2>>err & relay=$!
                }
                cd '\(folder)'
                touch delivered
                run "$@"
                # Whatever goes wrong, how the relay has ended and what it has said.
                trap 'kill -s KILL $relay; wait $relay; echo "relay $?"; tail -n 30 err >&2' EXIT
                "$outbox" enqueue "$@" d one >enqueued && eventually has one delivered || exit 1
                # None is left below the limit; what is open stays open.
                prlimit --pid $relay --nofile=3:1024 || exit 2
                "$outbox" enqueue "$@" d two >>enqueued || exit 3
                eventually says 'Too many open files'
                touch limited
                eventually says 'no file descriptor left' 2
                if hasEnded; then
                    wait $relay; status=$?
                    [ $status -eq 132 ] || { echo "ended with $status"; exit 4; }
                    run "$@"
                else
                    prlimit --pid $relay --nofile=1024:1024
                fi
                eventually has two delivered
                trap - EXIT
                kill -s TERM $relay; wait $relay; echo "status $?"
                cat delivered; cat err >&2
                """)
            try await until("it may open nothing") { FileManager.default.fileExists(atPath: folder + "/limited") }
            try await outbox.sql(
                """
                SELECT count(pg_terminate_backend(pid))::text FROM pg_locks
                WHERE locktype = 'advisory' AND classid = '{{schema}}.message'::regclass AND mode = 'ShareLock' AND granted
                """)
            let (lines, error) = try await (ending.lines, ending.error)
            // What was not stored when the session was lost comes again.
            #expect(
                lines.first == "status 0" && Set(lines.dropFirst()) == ["one", "two"], "\(lines) \(error.suffix(3000))")
            #expect(try await outbox.count("dead_letter") == 0)
            #expect(try await outbox.count("deferred") == 0)
        }
    }
}

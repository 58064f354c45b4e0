import Foundation
import Testing

@testable import Outbox
@testable import OutboxCLI

/// A relay under a service manager.
@Suite(.timeLimit(.minutes(5))) struct SupervisionTests {
    /// A service manager's socket: writes each message that it gets to a file, a line each.
    private static let listener = """
        import socket, sys
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        name = sys.argv[1]
        listener.bind(chr(0) + name[1:] if name.startswith("@") else name)
        with open(sys.argv[2], "w", buffering=1) as lines:
            print("listening", file=lines)
            while True:
                for line in listener.recv(65536).decode().splitlines():
                    print(line, file=lines)
        """

    @Test(arguments: ["path", "abstract"])
    func aServiceManagerHearsHowARelayIs(kind: String) async throws {
        let outbox = try await TestOutbox.migrated()
        try await outbox("enqueue", "d", "x")
        let ending = try await outbox.shell(
            """
            eventually() { n=0; until "$@"; do n=$((n + 1)); [ $n -lt 3000 ] || exit 99; sleep 0.01; done; }
            has() { [ "$(cat "$2" 2>/dev/null | grep -c "$1")" -ge "${3:-1}" ]; }
            folder=$(mktemp -d); trap 'rm -rf "$folder"; kill $listener' EXIT
            socket="$folder/notify"
            [ \(kind) = path ] || socket="@$folder"
            printf '%s\\n' '\(Self.listener)' >"$folder/listener.py"
            python3 "$folder/listener.py" "$socket" "$folder/heard" &
            listener=$!
            eventually has listening "$folder/heard"
            printf 'routes:\\n  d: exec:exit 69\\n' >"$folder/outbox.yaml"
            NOTIFY_SOCKET="$socket" WATCHDOG_USEC=60000 "$outbox" relay "$@" --config "$folder/outbox.yaml" 2>"$folder/err" &
            relay=$!
            eventually has "STATUS=delivering; down: d" "$folder/heard"
            eventually has WATCHDOG=1 "$folder/heard" 3
            printf 'routes:\\n  d: discard\\n' >"$folder/outbox.yaml"
            kill -s HUP $relay
            eventually has "READY=1" "$folder/heard" 2
            kill -s TERM $relay; wait $relay; echo "status $?"
            eventually has STOPPING=1 "$folder/heard"
            grep -v WATCHDOG "$folder/heard"
            cat "$folder/err" >&2
            """)
        #expect(ending.lines.first == "status 0", "\(ending.output)\(ending.error)")
        let heard = ending.lines.dropFirst()
        let ready = try #require(heard.firstIndex(of: "READY=1"))
        let reloading = try #require(heard.firstIndex(of: "RELOADING=1"))
        let stopping = try #require(heard.firstIndex(of: "STOPPING=1"))
        #expect(ready < reloading && reloading < stopping)
        #expect(!heard[stopping...].contains("READY=1"), "a relay that ends is not ready any more")
        // It is not ready before it has a connection.
        #expect(heard[..<ready].allSatisfy { $0 == "listening" || $0 == "STATUS=connecting" })
    }

    @Test func aManagerThatIsGoneIsNoReasonForAnything() async throws {
        #expect(ServiceManager(environment: [:]) == nil)
        #expect(ServiceManager(environment: ["NOTIFY_SOCKET": "relative"]) == nil)
        let manager = try #require(ServiceManager(environment: ["NOTIFY_SOCKET": "/nonexistent/socket"]))
        manager.tell(.ready, .status("x"))
        #expect(manager.watchdog == nil)
        let long = try #require(
            ServiceManager(environment: ["NOTIFY_SOCKET": "/" + String(repeating: "x", count: 200)]))
        long.tell(.ready)
        // Meant for another process.
        let other = ["NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"]
        #expect(ServiceManager(environment: other)?.watchdog == nil)
        #expect(
            ServiceManager(environment: other.merging(["WATCHDOG_PID": "\(getpid())"]) { $1 })?.watchdog
                == .milliseconds(1))
    }

    @Test func aStateIsALine() {
        var state = RelayState(phase: .disconnected(reason: "no server", since: Date()), since: Date())
        #expect(Supervision.line(state) == "disconnected: no server")
        state = RelayState(phase: .delivering, since: Date())
        #expect(Supervision.line(state) == "delivering")
        for name in ["e", "a", "c", "b", "d"] {
            state.down[Destination(name)] = RelayState.Outage(reason: "x", since: Date())
        }
        #expect(Supervision.line(state) == "delivering; down: a, b, c and 2 more")
        // A reason forges no message.
        #expect(!ServiceManager.Message.status("a\nREADY=1").text.contains("\n"))
    }
}

import Foundation
import OutboxTestServers
import TestSupport
import Testing

@testable import OutboxCLI

/// `outbox web`, as a browser or something worse asks it.
@Suite(.timeLimit(.minutes(10))) struct WebTests {
    /// `page OPTIONS` starts the page, `got PATH` is what it answers, `code PATH` with which status, `token` what its forms have in them.
    private static let tools = """
        folder=$(mktemp -d); web=''; relay=''; trap 'rm -rf "$folder"; for p in $web $relay; do kill $p 2>/dev/null; done' EXIT
        eventually() { n=0; until "$@"; do n=$((n + 1)); [ $n -lt 3000 ] || { echo "not: $*"; cat "$folder/err" >&2; exit 99; }; sleep 0.02; done; }
        begun() { port=$(sed -n 's|.*the page is at http://[^:]*:\\([0-9]*\\)/.*|\\1|p' "$folder/err" 2>/dev/null); [ "$port" ]; }
        page() { "$outbox" web --listen :0 "$@" 2>"$folder/err" & web=$!; eventually begun; }
        got() { path=$1; shift; curl -sS --max-time 50 "$@" "http://127.0.0.1:$port/$path"; }
        code() { path=$1; shift; curl -sS --max-time 50 -o /dev/null -w '%{http_code}\\n' "$@" "http://127.0.0.1:$port/$path"; }
        says() { text=$1; shift; got "$@" 2>/dev/null | grep -qF -- "$text"; }
        token() { got 'confirm?change=pause&name=x' "$@" | sed -n 's/.*name="token" value="\\([0-9a-f]*\\)".*/\\1/p'; }
        mark() { got 'confirm?change=pause&name=x' | sed -n 's/.*name="outbox" value="\\([0-9a-f]*\\)".*/\\1/p'; }
        change() { curl -sS --max-time 50 -o /dev/null -w '%{http_code} %{redirect_url}\\n' --data-urlencode "token=$(token)" -d "outbox=$(mark)" "$@" "http://127.0.0.1:$port/change" | sed "s|http://127.0.0.1:$port/||"; }

        """

    private func lines(_ outbox: TestOutbox, _ script: String) async throws -> [String] {
        let ending = try await outbox.shell(Self.tools + script)
        #expect(!ending.error.contains("not:"), "\(ending.error)")
        return ending.lines
    }

    @Test func everyPageIsThere() async throws {
        let outbox = try await TestOutbox.migrated()
        let lines = try await self.lines(
            outbox,
            """
            for i in 1 2 3; do "$outbox" enqueue dead '{"number": 1}' --key "k$i" --header trace=x "$@" >/dev/null; done
            "$outbox" enqueue waits x --route orders.placed "$@" >/dev/null
            "$outbox" relay --route 'dead=exec:echo broken >&2; exit 65' --until-empty "$@" >/dev/null 2>&1
            page "$@"
            for path in '' destination?name=dead destination?name=waits destination?name=none dead-letters dead-letters?error=brok \\
                dead-letters?error=other deferred relays doctor schema dead-letter?id=1 outbox.css outbox.js outbox.svg livez
            do code "$path"; done | sort | uniq -c | tr -s ' '
            for path in nothing dead-letter?id=4711 dead-letter?id=x deferred-message?id=1 dead-letters?page=x '?page=-1' '?q=%FF' change readyz
            do code "$path"; done | tr '\\n' ' '; echo
            says 'waits</a>' '' && says '>never served<' '' && says 'No relay is working' '' && says '>3</a>' '' && echo overview
            says 'broken' destination?name=dead && echo reason
            says 'orders.placed' destination?name=waits && ! says 'Routes of its last' destination?name=none && echo route
            says '3 dead letters' dead-letters && says 'none to which all of this applies' dead-letters?error=other && echo filter
            code events -H 'Sec-Fetch-Site: cross-site' -H 'Sec-Fetch-Mode: no-cors'; code 'events?page=x'; code '?q=%00'
            code '' -H 'Sec-Fetch-Site: cross-site' -H 'Sec-Fetch-Mode: navigate'; says 'were' '?done=replay&count=-5' || echo 'no note'
            says 'Payloads are hidden' 'dead-letter?id=1' && ! says 'number' 'dead-letter?id=1' && echo hidden
            code '' -I; code '' -X DELETE; code '' -X OPTIONS
            got '' -I | tr -d '\\r' | grep -cE "^(Content-Security-Policy: default-src 'none'|X-Frame-Options: DENY|X-Content-Type-Options: nosniff|Cache-Control: no-store|Referrer-Policy: same-origin)"
            kill -s TERM $web; wait $web; echo "status $?"; web=''
            """)
        #expect(
            lines == [
                " 16 200", "404 404 400 404 400 400 400 405 404 ", "overview", "reason", "route", "filter", "403",
                "400", "400",
                "200", "no note",
                "hidden", "200",
                "405", "405", "5",
                "status 0",
            ])
    }

    /// What comes from messages, errors and names is text on every page.
    @Test func nothingOfMessagesIsMarkup() async throws {
        let outbox = try await TestOutbox.migrated()
        // No message can have a zero.
        let corpus = EscapedHTMLTests.corpus.filter { !$0.contains("\0") }
        for (number, text) in corpus.enumerated() {
            try await outbox.sql(
                """
                INSERT INTO {{schema}}.dead_letter (subscription, id, destination, route, key, headers, payload, created_at, attempts, reason, last_error)
                VALUES ('main', \(number + 1), $t$\(text)$t$, $t$\(text)$t$, $t$\(text)$t$, jsonb_build_object($t$\(text)$t$::text, $t$\(text)$t$::text),
                    convert_to($t$\(text)$t$, 'UTF8'), now(), 1, 'rejected', $t$\(text)$t$)
                """)
            try await outbox.sql(
                "SELECT {{schema}}.enqueue(destination => $t$\(text)$t$, payload => 'x'::bytea, route => $t$\(text)$t$)::text"
            )
        }
        let lines = try await self.lines(
            outbox,
            """
            page --show-payloads --allow-changes "$@"
            tags() { grep -oE '<[^>]*>' | sed 's/"[^"]*"/""/g' | grep -oE "^</?[a-zA-Z!0-9]+| [a-zA-Z0-9-]+=?" | sort -u; }
            { got ''; got dead-letters; for id in $(seq \(corpus.count)); do for as in text json hex; do got "dead-letter?id=$id&as=$as"; done; done
              got relays; got events -m 3 2>/dev/null | sed 's/^data: //'
              got 'confirm?change=discard-dead&scope=matching&error=%22%CC%81%20onfocus%3Dx%20%3Cb%3E'
              got 'destination?name=%22%CC%81%20onfocus%3Dx%20%3Cb%3E'; got 'dead-letters?error=%22%3E%3Cscript%3E'
            } | tags
            """)
        // What templates have, and nothing else.
        let tags = """
            a body button caption code dd div dl dt fieldset figcaption figure footer form h1 h2 head header html input label legend li line \
            link main meta nav option p polyline pre script section select span svg table tbody td th thead title tr ul
            """
        let attributes = """
            action aria-current aria-label aria-labelledby autocomplete charset class content data-events href id inputmode lang method name \
            placeholder points preserveAspectRatio rel role scope size src tabindex type value viewBox x1 x2 y1 y2
            """
        let known = Set(
            tags.split(separator: " ").map { "<\($0)" } + attributes.split(separator: " ").map { " \($0)=" }
        )
        .union([" data-search", " defer", " html", " required", " selected", "<!doctype"])
        #expect(Set(lines.map { $0.replacing("</", with: "<") }).subtracting(known).isEmpty)
        #expect(lines.contains("<table") && lines.contains(" value="))
    }

    @Test func nothingIsChangedUnlessThatIsAllowed() async throws {
        let outbox = try await TestOutbox.migrated()
        let lines = try await self.lines(
            outbox,
            """
            "$outbox" enqueue dead x "$@" >/dev/null
            "$outbox" relay --route 'dead=exec:exit 65' --until-empty "$@" >/dev/null 2>&1
            page "$@"
            code 'confirm?change=replay&id=1'; code change -d 'change=replay&id=1&token=x'
            says 'those selected' dead-letters || says 'Replay' 'dead-letter?id=1' || says Pause 'destination?name=dead' || echo 'no buttons'
            says 'Nothing can be changed here' '' && echo said
            "$outbox" dead-letter list --json "$@" | grep -c '"id":1'
            """)
        #expect(lines == ["403", "403", "no buttons", "said", "1"])
    }

    /// A change is made by a form of the page, once it was shown, and stands in the log.
    @Test func aChangeIsThatOfAFormOfThePage() async throws {
        let outbox = try await TestOutbox.migrated()
        let lines = try await self.lines(
            outbox,
            """
            for i in 1 2 3 4; do "$outbox" enqueue dead x "$@" >/dev/null; done
            "$outbox" relay --route 'dead=exec:exit 65' --until-empty "$@" >/dev/null 2>&1
            page --allow-changes "$@"
            says 'Replay 1 dead letter?' 'confirm?change=replay&id=1' && says 'Discard 4 dead letters?' 'confirm?change=discard-dead&scope=matching' && echo shown
            says 'There is none' 'confirm?change=replay&id=99' && says 'Pause “dead”' 'confirm?change=pause&name=dead' && echo counted
            code 'confirm?change=discard-dead'
            token=$(token); form="change=discard-dead&scope=matching&expected=4"
            code change -d "$form"; code change -d "$form&token="; code change -d "$form&token=${token}0"
            code change -d "$form&token=$token" -H 'Sec-Fetch-Site: cross-site'; code change -d "$form&token=$token" -H 'Sec-Fetch-Site: same-site'
            code change -d "$form&token=$token" -H 'Host: evil.example'; code "change?$form&token=$token"
            code change -H 'Content-Type: text/plain' -d "$form&token=$token"; code change -H 'Content-Type: application/json' -d '{}'
            code "change?$form&token=$token" -X POST -H 'Content-Length: 0'
            echo "still $("$outbox" dead-letter list --json "$@" | grep -o '"id":' | wc -l)"
            change -H 'Sec-Fetch-Site: same-origin' -d 'change=replay' -d id=1 -d id=2 -d expected=2
            change -d 'change=discard-dead' -d scope=matching | cut -c1-3; change -d 'change=discard-dead' -d scope=matching -d expected=x | cut -c1-3
            change -d 'change=discard-dead' -d scope=matching -d expected=1
            code change -d "$form&token=$token&outbox=0"; code change -d "$form&token=$token"
            change -d 'change=discard-dead' -d scope=matching -d destination=dead -d expected=2
            change -d 'change=pause' -d name=dead; "$outbox" stream list "$@" | grep -c paused
            says 'was paused' 'destination?name=dead&done=pause' || says 'Paused.' 'destination?name=dead&done=pause' && echo noted
            change -d 'change=resume' -d name=dead; "$outbox" stream list "$@" | grep -c paused
            change -d 'change=rewind' -d name=dead -d to-id=3
            change -d 'change=rewind' -d name=dead -d to-id=99999
            change -d 'change=pause' -d name=none | cut -c1-3
            "$outbox" deferred list --json "$@" | grep -o '"id":' | wc -l
            change -d change=discard-deferred -d scope=matching -d expected=2
            grep -c 'The web page was asked to change something.*outcome=done' "$folder/err"
            grep -o 'by=local change=replay from=127.0.0.1 messages=2 .*' "$folder/err" | sed 's|outbox=[a-z0-9_]*/main|outbox=x|'
            """)
        #expect(
            lines == [
                "shown", "counted", "400", "403", "403", "403", "403", "403", "403", "405", "415", "415", "415",
                "still 4",
                "303 dead-letters?done=replay&count=2", "400", "400", "409 ", "409", "409",
                "303 dead-letters?destination=dead&done=discard-dead&count=2",
                "303 destination?name=dead&done=pause", "1", "noted", "303 destination?name=dead&done=resume", "0",
                "303 destination?name=dead&done=rewind",
                "303 destination?name=dead&done=rewind&count=0", "404", "2",
                "303 deferred?done=discard-deferred&count=2", "6",
                "by=local change=replay from=127.0.0.1 messages=2 outbox=x outcome=done what=\"change=replay&id=1&id=2\"",
            ])
    }

    @Test func aPasswordIsAskedForAndNeverSaid() async throws {
        let outbox = try await TestOutbox.migrated()
        let lines = try await self.lines(
            outbox,
            """
            OUTBOX_WEB_PASSWORD=correct-horse-battery page --allow-changes "$@"
            code ''; code '' -u ada:wrong; code '' -u ada:; code dead-letters; code outbox.js; code events; code change -d x=y; code livez
            got '' -I | grep -c '^WWW-Authenticate: Basic realm="outbox"'
            code '' -u ada:correct-horse-battery; code '' -H 'Authorization: Bearer correct-horse-battery'
            code '' -u ada:correct-horse-battery -H 'Host: outbox.example'
            token=$(token -u ada:correct-horse-battery)
            code change -d "change=pause&name=x&token=$token"; code change -u ada:correct-horse-battery -d 'change=pause&name=x'
            grep -c 'A wrong password was given' "$folder/err"; grep -c 'correct-horse' "$folder/err"
            got '' -u ada:correct-horse-battery | grep -c 'those of ada'
            kill -s INT $web; wait $web; echo "status $?"; web=''
            printf 'short' > "$folder/short"
            for options in "--listen 0.0.0.0:0" "--web-password-file $folder/short" "--web-password-file $folder/none"; do
                "$outbox" web $options "$@" 2>"$folder/said"; echo "$? $(grep -cE 'needs a password|fewer than 12|cannot be read' "$folder/said")"
            done
            """)
        #expect(
            lines == [
                "401", "401", "401", "401", "401", "401", "401", "200", "1", "200", "200", "200", "401", "403", "2",
                "0", "1", "status 0",
                "64 1", "64 1", "64 1",
            ])
    }

    /// Without a password, a site whose name leads here learns nothing.
    @Test func anotherNameIsNotAnsweredTo() async throws {
        let outbox = try await TestOutbox.migrated()
        let lines = try await self.lines(
            outbox,
            """
            page "$@"
            for host in evil.example "evil.example:$port" 127.0.0.1.evil.example; do code '' -H "Host: $host"; code events -H "Host: $host"; done | sort -u
            code '' -H "Host: localhost:$port"
            for field in 'X-Forwarded-For: 10.0.0.7' 'Forwarded: for=10.0.0.7' 'Via: 1.1 proxy' 'X-Real-IP: 10.0.0.7' 'X-Forwarded-Host: x'; do code '' -H "$field"; done | sort -u
            # A page that is open ends with the process.
            curl -sSN --max-time 50 "http://127.0.0.1:$port/events" >"$folder/events" & open=$!
            told() { grep -q 'event: look' "$folder/events"; }
            eventually told; kill -s TERM $web; wait $web; echo "status $?"; web=''; wait $open; echo ended
            """)
        #expect(lines == ["403", "200", "403", "status 0", "ended"])
    }

    /// Requests that are no requests of a browser end, and others are answered.
    @Test func whatIsTooMuchIsRefused() async throws {
        let outbox = try await TestOutbox.migrated()
        let lines = try await self.lines(
            outbox,
            """
            page --allow-changes "$@"
            head -c 200000 /dev/zero | tr '\\0' a > "$folder/large"
            code change --data-binary "@$folder/large"; code change -H 'Transfer-Encoding: chunked' --data-binary "@$folder/large"
            code '' -X GET --data-binary "@$folder/large"; code '' -X PUT -d x
            code "?q=$(head -c 7000 "$folder/large")"; code "dead-letters?error=$(head -c 7000 "$folder/large")"
            for path in ../../etc/passwd %2e%2e/%2e%2e/etc/passwd ..%2fetc%2fpasswd Web/Templates/layout.mustache layout.mustache outbox.css/../x /etc/passwd
            do curl -sS --path-as-is -o /dev/null -w '%{http_code}\\n' "http://127.0.0.1:$port/$path"; done | sort | uniq -c | tr -s ' '
            code "destination?name=..%2F..%2Fetc%2Fpasswd"
            for i in $(seq 40); do curl -sS -N --max-time 30 -o /dev/null -w '%{http_code}\\n' "http://127.0.0.1:$port/events" >> "$folder/codes" & pids="$pids $!"; done
            refused() { [ "$(grep -c 503 "$folder/codes")" -ge 8 ]; }
            eventually refused
            code ''; code livez
            kill $pids 2>/dev/null; for p in $pids; do wait $p 2>/dev/null; done
            sort "$folder/codes" | uniq -c | tr -s ' '
            free() { [ "$(code events --max-time 1 2>/dev/null)" = 200 ]; }
            eventually free; echo free
            """)
        #expect(lines == ["413", "413", "413", "413", "200", "200", " 7 404", "200", "200", "200", " 8 503", "free"])
    }

    /// However long a message is, no more of it is read than is shown.
    @Test func aLongPayloadIsCut() async throws {
        let outbox = try await TestOutbox.migrated()
        try await outbox.sql(
            """
            INSERT INTO {{schema}}.dead_letter (id, created_at, destination, payload, attempts, reason)
            VALUES (1, now(), 'd', convert_to(repeat('ä', 50000), 'UTF8'), 1, 'rejected')
            """)
        let lines = try await self.lines(
            outbox,
            """
            page --show-payloads "$@"
            got 'dead-letter?id=1' > "$folder/page"
            grep -c '100,000 bytes' "$folder/page"; grep -o 'the first 65,536 bytes' "$folder/page"; grep -o 'ä' "$folder/page" | wc -l
            for as in text json hex; do code "dead-letter?id=1&as=$as"; done | sort -u
            kill -s TERM $web; wait $web; web=''; : > "$folder/err"
            page "$@"
            got 'dead-letter?id=1' > "$folder/page"; grep -c '100,000 bytes' "$folder/page"; grep -o 'ä' "$folder/page" | wc -l
            """)
        #expect(lines == ["1", "the first 65,536 bytes", "32768", "200", "1", "0"])
    }

    /// What a relay that follows delivers by, and which outbox it has, is what the page shows.
    @Test func thePageFollowsTheConfiguration() async throws {
        let (first, second) = (try await TestOutbox.migrated(), try await TestOutbox.migrated())
        try await first("enqueue", "added", "x")
        try await second("enqueue", "other", "x")
        let lines = try await self.lines(
            first,
            """
            listening() { port=$(sed -n 's/.*Listening for.*address=[0-9.]*:\\([0-9]*\\).*/\\1/p' "$folder/err" 2>/dev/null); [ "$port" ]; }
            configure() { printf 'postgres: "%s"\\nschema: %s\\nallow_changes: true\\nroutes:\\n  %s\\n' "$url" "$1" "$2" > "$folder/c.yaml"; }
            configure "$schema" 'first: discard'
            "$outbox" relay --config "$folder/c.yaml" --listen :0 2>"$folder/err" & relay=$!
            eventually listening
            eventually says 'by <code>no route</code>' 'destination?name=added'
            form=$(got 'confirm?change=pause&name=first' | sed -n 's/.*name="outbox" value="\\([0-9a-f]*\\)".*/\\1/p'); token=$(token)
            configure "$schema" 'added: discard'; kill -s HUP $relay
            eventually says 'by <code>discard</code>' 'destination?name=added'
            configure \(second.schema) 'first: discard'; kill -s HUP $relay
            eventually says 'destination?name=other' ''; says 'destination?name=added' '' || echo gone
            code change -d "change=pause&name=first&token=$token&outbox=$form"
            says '\(second.schema), subscription' '' && echo named
            kill -s TERM $relay; wait $relay; echo "status $?"; relay=''
            """)
        #expect(lines == ["gone", "409", "named", "status 0"])
    }

    /// Connections are few: none is kept that nothing is asked over.
    @Test func aBrowserKeepsNoConnection() async throws {
        let outbox = try await TestOutbox.migrated()
        let lines = try await self.lines(
            outbox,
            """
            page "$@"
            printf '%s' 'import socket, sys
            for path, host in [("/", "localhost"), ("/", "evil.example"), ("/nothing", "localhost"), ("/outbox.css", "localhost")]:
                s = socket.create_connection(("127.0.0.1", int(sys.argv[1]))); s.settimeout(60)
                s.sendall(f"GET {path} HTTP/1.1\\r\\nHost: {host}\\r\\n\\r\\n".encode())
                data = b""
                while part := s.recv(65536): data += part
                print(data.split(b" ")[1].decode())' | sed 's/^            //' > "$folder/client.py"
            python3 "$folder/client.py" $port
            """)
        #expect(lines == ["200", "403", "404", "200"])
    }

    /// An open page is told what a relay does, and that the database is gone.
    @Test func anOpenPageIsKeptUpToDate() async throws {
        let server = try await EphemeralPostgres.start()
        try await Program.outbox("migrate", "up", "--postgres", server.url)
        try await withTemporaryFolder { folder in
            async let ending = Program.shell(
                Self.tools + """
                    trap 'touch "$signals/kill" "$signals/start"; rm -rf "$folder"; kill $web 2>/dev/null' EXIT
                    page --postgres "$url"
                    # An answer ends after a while, and a browser asks again.
                    told() { for n in 1 2 3 4 5; do curl -sS -N --max-time 40 "http://127.0.0.1:$port/events" | sed "/$1/q" | grep "$1" && break; done | grep -c "$1"; }
                    says 'Nothing was enqueued yet' '' && echo empty
                    "$outbox" enqueue new x --postgres "$url" >/dev/null
                    told 'destination?name=new'
                    touch "$signals/kill"
                    told 'cannot be looked at'
                    eventually says 'cannot be looked at' ''; code ''; code dead-letters; code livez
                    touch "$signals/start"
                    eventually says 'destination?name=new' ''; echo back
                    """, ["url": server.url, "signals": folder])
            try await until("the server is to go") { FileManager.default.fileExists(atPath: folder + "/kill") }
            try await server.kill()
            try await until("the server is to come back") { FileManager.default.fileExists(atPath: folder + "/start") }
            try await server.startAgain()
            let lines = try await ending.lines
            #expect(lines == ["empty", "1", "1", "200", "503", "200", "back"])
        }
        await server.stop()
    }

    /// A relay that listens has the page, at its own address, with what it knows besides.
    @Test func aRelayHasThePage() async throws {
        let outbox = try await TestOutbox.migrated()
        let lines = try await self.lines(
            outbox,
            """
            "$outbox" enqueue down x "$@" >/dev/null
            listening() { port=$(sed -n 's/.*Listening for.*address=[0-9.]*:\\([0-9]*\\).*/\\1/p' "$folder/err" 2>/dev/null); [ "$port" ]; }
            "$outbox" relay --route 'down=exec:echo no mail server >&2; exit 69' --route '*=discard' --listen :0 "$@" 2>"$folder/err" & relay=$!
            eventually listening
            eventually says 'no mail server' ''
            says '>down</span>' '' && says 'This process delivers it by <code>exec</code>' destination?name=down && echo down
            says 'begins a segment after' schema && says 'outbox relay' relays && code metrics; code readyz; code livez
            kill -s TERM $relay; wait $relay; echo "status $?"; : > "$folder/err"
            "$outbox" relay --route '*=discard' --listen 0.0.0.0:0 "$@" 2>"$folder/err" & relay=$!
            eventually listening
            ready() { [ "$(code readyz)" = 200 ]; }
            eventually ready; code ''; got '' | grep -c 'web_password_file'
            kill -s TERM $relay; wait $relay; relay=''
            """)
        #expect(lines == ["down", "200", "200", "200", "status 0", "403", "1"])
    }
}

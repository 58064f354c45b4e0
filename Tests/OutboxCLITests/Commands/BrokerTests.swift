import Foundation
import TestSupport
import Testing

/// `outbox relay` with addresses of brokers: what is wrong is said before anything is done, and without passwords.
@Suite(.timeLimit(.minutes(10))) struct BrokerTests {
    @Test(arguments: [
        ("orders=amqp://user:s3cret@host?exchagne=a", "did you mean “exchange”?"),
        ("orders=amqp://user:s3cret@host:port", "a port is a number"),
        ("orders=kafka://user:s3cret@host?acks=1", "acks"),
        ("orders=kafka://user:s3cret@host?linger.mss=1", "linger.ms"),
        ("orders=sqs://user:s3cret@orders?region=eu-central-1", "no user and no password"),
        ("orders=sqs://orders?regoin=eu-central-1", "did you mean “region”?"),
        ("orders=kinesis://clicks?region=eu-central-1&endpoint=http://user:s3cret@h", "endpoint"),
        ("orders=sns://news?region=eu-central-1", "account="),
        ("orders=eventbridge://default?sourec=x&region=r", "did you mean “source”?"),
        ("orders=pubsub://user:s3cret@shop/orders", "credentials are no part of it"),
        ("orders=pubsub://shop/orders?ordring_key=s3cret", "did you mean “ordering_key”?"),
        ("orders=kinessi://clicks", "did you mean “kinesis”?"),
        ("amqp://user:s3cret@host?exchange=a", "before an address stands its DESTINATION="),
        ("orders=https://user:s3cret@host/x?outbox.secrt=s3cret", "did you mean “outbox.secret”?"),
        ("orders=https://host/x?outbox_secret=s3cret", "begins with outbox."),
        ("orders=https://host/x?outbox.secret=whsec_s3cret", "24 to 64 bytes"),
        ("orders=https://{header.host}/x?outbox.token=s3cret", "“hosts”"),
        ("orders=ampq://user:s3cret@host", "did you mean “amqp”?"),
    ])
    func whatIsWrongWithAnAddressIsSaid(_ route: String, _ part: String) async throws {
        let ending = try await Program.outbox(
            "relay", "--postgres", "postgresql://127.0.0.1:1/nothing", "--route", route, status: 64)
        #expect(ending.error.contains(part), "\(ending.error)")
        #expect(!ending.error.contains("s3cret"), "\(ending.error)")
        #expect(!ending.error.contains("127.0.0.1"), "before it connects: \(ending.error)")
    }

    @Test func aBrokerThatIsOutOfReachHoldsUpNoOther() async throws {
        let outbox = try await TestOutbox.migrated()
        try await outbox("enqueue", "orders", "1")
        try await outbox("enqueue", "other", "2")
        let ending = try await outbox.shell(
            """
            "$outbox" relay "$@" --route orders=amqp://127.0.0.1:1 --route other=stdout --events >"$0.out" 2>"$0.err" &
            n=0; until [ -s "$0.out" ] && grep -q opened "$0.err"; do n=$((n + 1)); [ $n -lt 3000 ] || exit 99; sleep 0.01; done
            kill -s TERM $!; wait $!; echo $?; cat "$0.out"; rm -f "$0.out" "$0.err"
            """)
        #expect(ending.lines.first == "0")
        #expect(ending.output.contains(#""payload":"2""#))
    }

    /// From the table to a receiver, signed with a secret of the environment.
    @Test func aWebhookGetsWhatWasEnqueued() async throws {
        let outbox = try await TestOutbox.migrated()
        try await outbox("enqueue", "hooks", "--route", "order placed", "{}")
        try await outbox("enqueue", "hooks", "[1]")
        let ending = try await outbox.shell(
            """
            python3 -c '
            import http.server, sys
            class Handler(http.server.BaseHTTPRequestHandler):
                def do_POST(self):
                    body = self.rfile.read(int(self.headers["content-length"])).decode()
                    print(self.path, body, self.headers["webhook-signature"][:3], flush=True)
                    self.send_response(204)
                    self.end_headers()
                def log_message(self, *_): pass
            server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
            print(server.server_address[1], file=open(sys.argv[1], "w"), flush=True)
            server.serve_forever()' "$0.port" >"$0.got" &
            receiver=$!
            n=0; until [ -s "$0.port" ]; do n=$((n + 1)); [ $n -lt 3000 ] || exit 99; sleep 0.01; done
            OUTBOX_WEBHOOK_SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw "$outbox" relay "$@" --until-empty \
                --route "hooks=http://127.0.0.1:$(cat "$0.port")/x/{route|none}?outbox.allow=127.0.0.1"
            echo $?
            kill $receiver; sort "$0.got"; rm -f "$0.got" "$0.port"
            """)
        #expect(ending.lines == ["0", "/x/none [1] v1,", "/x/order%20placed {} v1,"], "\(ending.error)")
    }

    /// Without a database, and without a message.
    @Test func aCheckHasALineForEachRoute() async throws {
        try await withTemporaryFolder { folder in
            func check(_ routes: [String], status: Int32) async throws -> Program.Ending {
                try await Program.outbox(
                    ["relay", "--check", "--postgres", "postgresql://127.0.0.1:1/nothing"]
                        + routes.flatMap { ["--route", $0] }, status: status)
            }
            let fine = try await check(
                ["a=stdout", "bus=discard", "mail=exec:exit 1", "audit=file:\(folder)/audit"], status: 0)
            #expect(fine.lines.count == 4 && fine.lines.allSatisfy { $0.hasPrefix("✓ ") }, "\(fine.output)")
            #expect(fine.error.isEmpty)
            #expect(!FileManager.default.fileExists(atPath: folder + "/audit"))
            let some = try await check(
                [
                    "a=stdout", "orders=amqp://user:s3cret@127.0.0.1:1/shop", "*=amqp://user:s3cret@127.0.0.1:1/shop",
                    "audit=file:\(folder)/missing/audit", "other=file:\(folder)",
                ], status: 69)
            #expect(
                some.lines.map { $0.prefix(8) } == ["✓ a     ", "✗ orders", "✗ *     ", "✗ audit ", "✗ other "],
                "\(some.output)")
            #expect(
                some.lines[1].contains("Connection refused") && some.lines[3].contains("No such file"), "\(some.output)"
            )
            #expect(some.error == "outbox: 4 of 5 routes cannot be used\n")
            #expect(!some.output.contains("s3cret"))
            _ = try await check(["orders=amqp://host?exchagne=a"], status: 64)
        }
    }

    /// A proxy's password is in the variable that names it, and in nothing that is said of it.
    @Test(arguments: [
        "http://u:s3cretpw@127.0.0.1:99999", "odd://u:s3cretpw@127.0.0.1:1", "http://u:s3cretpw x@127.0.0.1:1",
    ])
    func aProxyOfTheEnvironmentKeepsItsPassword(address: String) async throws {
        let ending = try await Program.outbox(
            [
                "relay", "--check", "--postgres", "postgresql://127.0.0.1:1/nothing", "--route",
                "a=sqs://orders?region=eu-central-1", "--route", "b=https://hooks.invalid/x",
            ],
            environment: [
                "https_proxy": address, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "no_proxy": "",
            ], status: 69)
        #expect(ending.output.contains("proxy"), "\(ending.output)")
        #expect(!(ending.output + ending.error).contains("s3cretpw"), "\(ending.output)")
    }

    /// Killed again and again while it waits for a broker that is not there, or is and says nothing: no message is to blame.
    @Test(.timeLimit(.minutes(5)), arguments: ["kafka", "amqp", "http"])
    func noMessageIsToBlameForABrokerThatDoesNotAnswer(scheme: String) async throws {
        let silent = try SilentPort()
        let address =
            switch scheme {
            case "kafka": "kafka://127.0.0.1:1?topic=x"
            case "amqp": "amqp://127.0.0.1:\(silent.port)"
            default: "http://127.0.0.1:1/x?outbox.allow=127.0.0.1"
            }
        let outbox = try await TestOutbox.migrated()
        try await outbox.sql(
            "INSERT INTO {{schema}}.message (destination, payload) SELECT 'd', convert_to(i::text, 'UTF8') FROM generate_series(1, 6) AS i"
        )
        let ending = try await outbox.shell(
            """
            works() { "$outbox" status "$@" --json | grep -q '"in_flight":[1-9]'; }
            for process in 1 2 3 4 5 6 7 8; do
                "$outbox" relay "$@" --route 'd=\(address)' --max-attempts 3 2>/dev/null &
                n=0; until works "$@"; do n=$((n + 1)); [ $n -lt 600 ] || exit 99; sleep 0.01; done
                kill -s KILL $!; wait $!
            done
            "$outbox" relay "$@" --route d=stdout --max-attempts 3 --until-empty
            """)
        #expect(ending.status == 0, "\(ending.error)")
        #expect(ending.lines.count { $0.contains(#""attempt":1,"#) } == 6, "\(ending.output)")
        #expect(try await outbox.count("dead_letter") == 0)
    }
}

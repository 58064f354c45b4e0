import Testing

/// `outbox relay` with addresses of brokers: what is wrong is said before anything is done, and without passwords.
@Suite struct BrokerTests {
    @Test(arguments: [
        ("orders=amqp://user:s3cret@host?exchagne=a", "did you mean “exchange”?"),
        ("orders=amqp://user:s3cret@host:port", "a port is a number"),
        ("orders=kafka://user:s3cret@host?acks=1", "acks"),
        ("orders=kafka://user:s3cret@host?linger.mss=1", "linger.ms"),
        ("amqp://user:s3cret@host?exchange=a", "before an address stands its DESTINATION="),
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
}

import Testing

/// `outbox demo`, which checks itself.
@Suite(.timeLimit(.minutes(10))) struct DemoTests {
    @Test func endsWell() async throws {
        let outbox = try await TestOutbox.named()
        let ending = try await Program.outbox("demo", "--duration", "2s", "--postgres", outbox.url)
        #expect(ending.output.contains("DESTINATION"))
        #expect(ending.lines.filter { $0.hasPrefix("✓") }.count == 5)
        #expect(ending.output.contains("dead letter after 3 attempts"))
    }

    @Test func removesItsSchemaWhenInterrupted() async throws {
        let outbox = try await TestOutbox.named()
        let ending = try await Program.shell(
            """
            "$outbox" demo --duration 600s --postgres "$url" >"$out" 2>&1 &
            n=0; until grep -q commits "$out"; do n=$((n + 1)); [ $n -lt 3000 ] || exit 99; sleep 0.01; done
            schema=$(sed -n 's/.*schema \\(outbox_demo_[a-z0-9]*\\) .*/\\1/p' "$out"); kill -s INT $!; wait $!
            echo "$? $schema"; rm -f "$out"
            """, ["url": outbox.url, "out": "/tmp/\(outbox.schema)"])
        let words = ending.output.split(whereSeparator: \.isWhitespace).map(String.init)
        try #require(words.count == 2, "\(ending.output)\(ending.error)")
        #expect(words[0] == "130")
        #expect(try await outbox.sql("SELECT count(*)::text FROM pg_namespace WHERE nspname = '\(words[1])'") == ["0"])
    }

    @Test func saysWhatToInstallWhereThereIsNoServer() async throws {
        let ending = try await Program.outbox("demo", environment: ["OUTBOX_POSTGRES_BIN": "/nonexistent"], status: 69)
        #expect(ending.error.contains("apt-get install postgresql"))
    }
}

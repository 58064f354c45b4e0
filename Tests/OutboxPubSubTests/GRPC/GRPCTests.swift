import OutboxRuntime
import Testing

@testable import OutboxPubSub

@Suite(.timeLimit(.minutes(1))) struct GRPCTests {
    @Test(arguments: [
        ("", ""), ("plain", "plain"), ("100%25", "100%"), ("%C3%A4%0A", "ä\n"), ("%", "%"), ("%4", "%4"),
        ("%zz%41", "%zzA"),
    ])
    func messagesAreDecoded(text: String, decoded: String) {
        #expect(GRPCStatus.percentDecoded(text) == decoded)
    }

    @Test func messagesOfServicesAreShort() {
        #expect(GRPCStatus.shortened("a\nb\u{1B}c") == "a b c")
        #expect(GRPCStatus.shortened(String(repeating: "x", count: 1000)).count == GRPCStatus.longestMessage + 1)
    }

    @Test(arguments: [
        (Duration.milliseconds(1), "1m"), (.seconds(30), "30000m"), (.seconds(86_400), "86400000m"),
        (.microseconds(5), "1m"),
        (.seconds(100_000), "100000S"),
    ])
    func timeoutsHaveEightDigitsAtMost(timeout: Duration, text: String) {
        #expect(GRPCMethod.timeoutText(timeout) == text)
    }

    @Test func whatIsSaidOfTopicsAndSizesIsUnderstood() {
        func meaning(_ code: GRPCStatus.Code, _ message: String) -> PublishMeaning {
            PublishMeaning(GRPCStatus(code, message))
        }
        if case .topicRefused = meaning(.invalidArgument, "Invalid resource name given (name=projects/x/topics/y).") {
        } else {
            Issue.record("a name that the service does not take is no message’s fault")
        }
        #expect(meaning(.invalidArgument, "schema") == .refused("INVALID_ARGUMENT – schema"))
        if case .refused = meaning(.resourceExhausted, "Received message larger than max (9 vs. 4)") {
        } else {
            Issue.record("a request that is too large is divided")
        }
        #expect(PublishMeaning(.message([0x0A, 1, 0x31]), count: 1) == .delivered)
        #expect(
            PublishMeaning(.message([0x0A, 1, 0x31]), count: 2) == .failed("the service has confirmed 1 of 2 messages"))
        #expect(
            PublishMeaning(.message([0x0A]), count: 2)
                == .failed("the service has confirmed 0 of 2 messages"))
    }
}

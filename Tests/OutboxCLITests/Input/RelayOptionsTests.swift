import ArgumentParser
import Outbox
import OutboxPostgres
import Testing

@testable import OutboxCLI

/// Options are a layer of settings: what is not given is nil, so that another layer can lie below.
@Suite(.timeLimit(.minutes(5))) struct RelayOptionsTests {
    @Test func whatIsNotGivenIsNil() throws {
        let options = try RelayOptions.parse([])
        #expect(options.settings == RelaySettings())
        #expect(options.wakeup == nil)
        let delivery = options.delivery
        #expect(delivery.concurrency == nil && delivery.ordering == nil && delivery.breaker == nil)
        #expect(delivery.parking == nil && delivery.maximumCount == nil)
        #expect(delivery.retry as? BackoffRetryStrategy == .exponential())
        #expect(try SegmentOptions.parse([]).policy(SegmentLayer()) == SegmentPolicy())
        let server = try ServerOptions.parse([])
        #expect(server.postgres == nil && server.answerTimeout == nil && server.preparedStatements == nil)
        #expect(try server.outbox.name == nil && server.outbox.schema == OutboxSchema())
    }

    /// What was asked for and does not happen is said; the default is not.
    @Test func aSegmentAgeWithoutEffectIsSaid() throws {
        func remark(_ options: [String], age: Duration? = nil) throws -> String? {
            try SegmentOptions.parse(options).remark(SegmentLayer(age: age))
        }
        let said = "A segment age of 2s has no effect: a segment takes messages for 3s, a third of the retention"
        #expect(try remark(["--segment-age", "2s", "--retention", "9s"]) == said)
        #expect(try remark(["--retention", "9s"], age: .seconds(2)) == said)
        #expect(try remark(["--segment-age", "3s", "--retention", "9s"]) == nil)
        #expect(try remark(["--segment-age", "0", "--retention", "0"]) == nil)
        #expect(try remark(["--retention", "1000d"]) == nil)
        #expect(try remark([]) == nil)
    }

    @Test func whatIsGivenLiesAboveAnotherLayer() throws {
        let options = try RelayOptions.parse([
            "--max-attempts", "3", "--unordered", "--park-after", "5s", "--page", "50", "--drain-deadline", "1m",
            "--from",
            "now",
        ])
        let file = DeliverySettings(
            retry: .exponential(maximumAttempts: 7, initialDelay: .seconds(9), jitter: false), concurrency: 2,
            parking: .never)
        let delivery = options.delivery.merged(over: file)
        #expect(
            delivery.retry as? BackoffRetryStrategy
                == .exponential(maximumAttempts: 3, initialDelay: .seconds(9), jitter: false))
        #expect(delivery.concurrency == 2 && delivery.ordering == .unordered && delivery.parking == .after(.seconds(5)))
        var expected = RelaySettings()
        expected.page.messages = 50
        expected.shutdown.deadline = .seconds(60)
        expected.firstPosition = .now
        #expect(options.settings == expected)
    }

    @Test(arguments: [
        (["--concurrency", "0"], "--concurrency is 1 to 1024."),
        (["--max-attempts", "0"], "--max-attempts is at least 1."),
        (["--park-after", "0"], "--park-after is more than 0s."), (["--page", "0"], "--page is at least 1."),
        (["--window", "5"], "--window is at least --page (2000)."),
        (["--page", "20000"], "--window is at least --page (20000)."),
        (["--subscription", ""], "--subscription is 1 to 255 bytes."),
        (["--poll", "1s", "--no-fallback-poll"], "--poll and --no-fallback-poll exclude each other."),
    ]) func whatCannotBeIsRefusedByTheNamesOfOptions(arguments: [String], text: String) {
        let error = #expect(throws: (any Error).self) { try RelayOptions.parse(arguments) }
        #expect(error.map { RelayOptions.message(for: $0) } == text)
    }

    @Test func anAnswerMayTakeAsLongAsItLikes() throws {
        #expect(
            try ServerOptions.parse(["--answer-timeout", "0"]).configuration(application: "x").answerTimeout == nil)
        #expect(try ServerOptions.parse([]).configuration(application: "x").answerTimeout == .seconds(30))
        let options = try ServerOptions.parse(["--no-prepared-statements"])
        #expect(try !options.configuration(application: "x").usesPreparedStatements)
    }
}

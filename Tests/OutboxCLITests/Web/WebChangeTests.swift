import OutboxPostgres
import Testing

@testable import OutboxCLI

/// What a form can have done.
@Suite(.timeLimit(.minutes(1))) struct WebChangeTests {
    private func change(_ query: String) throws -> WebChange { try WebChange(#require(FormFields(parsing: query))) }

    @Test(arguments: [
        "", "change=drop", "change=replay", "change=replay&id=", "change=replay&id=x", "change=replay&id=1&id=2x",
        "change=discard-dead&error=x",
        "change=replay&scope=all", "change=pause", "change=pause&name=", "change=rewind&name=a",
        "change=rewind&name=a&to-id=x",
        "change=rewind&name=a&to-time=yesterday", "change=rewind&name=a&to-id=1&to-time=2030-01-31T12:00:00Z",
        "change=replay&scope=matching&reason=none", "change=replay&scope=matching&older=1y",
        "change=replay&id=99999999999999999999",
    ])
    func whatIsNotMeantIsRefused(_ query: String) throws {
        let fields = try #require(FormFields(parsing: query))
        #expect(throws: WebRefusal.self) { try WebChange(fields) }
    }

    /// What is confirmed is what was shown.
    @Test(arguments: [
        "change=replay&id=1&id=2",
        "change=discard-dead&scope=matching&destination=a%26b&error=%3Cx%3E&reason=rejected&older=7d&newer=1h",
        "change=retry&scope=matching", "change=discard-deferred&id=7", "change=pause&name=a%2Fb",
        "change=resume&name=..",
        "change=rewind&name=a&to-id=5", "change=rewind&name=a&to-time=2030-01-31T12%3A00%3A00Z",
    ])
    func theConfirmationMeansTheSame(_ query: String) throws {
        let change = try self.change(query)
        let again = try WebChange(change.fields)
        #expect(again.fields == change.fields)
        #expect(again.kind == change.kind && again.ids == change.ids && again.query == change.query)
        #expect(try Set(#require(FormFields(parsing: query)).fields) == Set(change.fields.fields))
    }

    @Test func aPlaceIsOneOfOurs() throws {
        #expect(
            try self.change("change=pause&name=//evil.example/%3F%23").place
                == "destination?name=%2F%2Fevil.example%2F%3F%23")
        #expect(
            try self.change("change=replay&id=1&destination=http://evil").place
                == "dead-letters?destination=http%3A%2F%2Fevil")
        #expect(try self.change("change=retry&id=1").place == "deferred?")
    }
}

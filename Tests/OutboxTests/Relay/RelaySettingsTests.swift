import OutboxRuntime
import Testing

@testable import Outbox

@Suite(.timeLimit(.minutes(5))) struct RelaySettingsTests {
    /// Each member has another value than its default.
    private static var given: RelaySettings {
        var settings = RelaySettings()
        settings.subscription = "audit"
        settings.firstPosition = .now
        settings.page.messages = 3
        settings.page.bytes = 4
        settings.window.messages = 5
        settings.window.bytes = 6
        settings.commit.interval = .seconds(7)
        settings.commit.messages = 8
        settings.commit.maximumDelay = .seconds(9)
        settings.shutdown.deadline = .seconds(10)
        settings.reconnect.initialDelay = .seconds(11)
        settings.reconnect.maximumDelay = .seconds(12)
        settings.standbyInterval = .seconds(13)
        return settings
    }

    /// A member that was added and forgotten above, or where settings are merged, is nil.
    @Test func theListAboveIsWhole() {
        #expect(!"\(Self.given)".contains("nil"))
    }

    @Test func layersAreMergedMemberByMember() {
        #expect(RelaySettings().merged(over: Self.given) == Self.given)
        #expect(Self.given.merged(over: RelaySettings()) == Self.given)
        var lower = RelaySettings()
        lower.page.messages = 100
        lower.commit.messages = 200
        #expect(Self.given.merged(over: lower) == Self.given)
        var upper = RelaySettings()
        upper.page.messages = 1
        var expected = Self.given
        expected.page.messages = 1
        #expect(upper.merged(over: Self.given) == expected)
    }

    @Test func whatIsGivenIsNoDefault() throws {
        let settings = try Self.given.resolve()
        #expect(settings.subscription == "audit" && settings.page == (3, 4) && settings.window == (5, 6))
        #expect(settings.commit == (.seconds(7), 8, .seconds(9)) && settings.shutdownDeadline == .seconds(10))
        #expect(settings.reconnect == (.seconds(11), .seconds(12)) && settings.standbyInterval == .seconds(13))
    }

    @Test func whatIsNotGivenHasADefault() throws {
        let settings = try RelaySettings().resolve()
        #expect(settings.subscription == "main" && settings.page == (2000, 8 << 20))
        #expect(settings.window == (10_000, 32 << 20) && settings.commit == (.milliseconds(100), 1000, .seconds(1)))
        #expect(settings.shutdownDeadline == .seconds(30) && settings.standbyInterval == .seconds(1))
        #expect(settings.reconnect == (.milliseconds(100), .seconds(10)))
    }

    /// A task that sleeps for that long traps.
    private static let forever = Duration.seconds(Int64.max)

    private typealias Change = @Sendable (inout RelaySettings) -> Void
    private static let refused: [(text: String, change: Change)] = [
        ("subscription is 1 to 255 bytes", { $0.subscription = "" }),
        ("subscription is 1 to 255 bytes", { $0.subscription = String(repeating: "x", count: 256) }),
        ("subscription has no NUL", { $0.subscription = "a\0" }),
        ("page.messages is at least 1", { $0.page.messages = 0 }),
        ("page.bytes is at least 1", { $0.page.bytes = 0 }),
        ("commit.messages is at least 1", { $0.commit.messages = 0 }),
        ("window.messages is at least page.messages (2000)", { $0.window.messages = 1999 }),
        ("window.messages is at least page.messages (10001)", { $0.page.messages = 10_001 }),
        ("window.bytes is at least page.bytes (8388608)", { $0.window.bytes = 1 }),
        ("commit.interval is not negative", { $0.commit.interval = .seconds(-1) }),
        ("commit.maximumDelay is not negative", { $0.commit.maximumDelay = .seconds(-1) }),
        ("shutdown.deadline is not negative", { $0.shutdown.deadline = .seconds(-1) }),
        ("reconnect.initialDelay is not negative", { $0.reconnect.initialDelay = .seconds(-1) }),
        ("reconnect.maximumDelay is not negative", { $0.reconnect.maximumDelay = .seconds(-1) }),
        ("standbyInterval is not negative", { $0.standbyInterval = .seconds(-1) }),
        ("commit.interval is at most 10000d", { $0.commit.interval = Self.forever }),
        ("commit.maximumDelay is at most 10000d", { $0.commit.maximumDelay = Self.forever }),
        ("shutdown.deadline is at most 10000d", { $0.shutdown.deadline = Self.forever }),
        ("reconnect.initialDelay is at most 10000d", { $0.reconnect.initialDelay = Self.forever }),
        ("reconnect.maximumDelay is at most 10000d", { $0.reconnect.maximumDelay = Self.forever }),
        ("standbyInterval is at most 10000d", { $0.standbyInterval = Self.forever }),
    ]

    @Test(arguments: refused.indices) func whatCannotBeIsRefused(index: Int) {
        var settings = RelaySettings()
        Self.refused[index].change(&settings)
        let error = #expect(throws: InvalidSetting.self) { try settings.resolve() }
        #expect(error?.description == Self.refused[index].text)
    }

    @Test func namesAreThoseOfTheOneWhoGaveThem() {
        var settings = RelaySettings()
        settings.window.messages = 5
        let error = #expect(throws: InvalidSetting.self) { try settings.resolve() }
        let names = ["window.messages": "--window", "page.messages": "--page"]
        #expect(error?.text { names[$0] ?? "?" } == "--window is at least --page (2000)")
    }
}

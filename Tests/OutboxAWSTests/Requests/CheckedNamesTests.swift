import Outbox
import OutboxTesting
import Synchronization
import Testing

@testable import OutboxAWS

@Suite(.timeLimit(.minutes(5))) struct CheckedNamesTests {
    /// Counts how often a name is checked.
    private final class Checks: Sendable {
        let count = Mutex(0)

        func names(_ template: MessageTemplate) -> CheckedNames<String> {
            CheckedNames(template, "queue") { text throws(MessageRefusal) in
                self.count.withLock { $0 += 1 }
                if text == "bad" { throw MessageRefusal("no \(text)", isOfTarget: true) }
                return text.uppercased()
            }
        }
    }

    @Test func eachNameIsCheckedOnce() throws {
        let checks = Checks()
        let names = checks.names("{route}")
        for _ in 0..<3 {
            for route in ["a", "b"] {
                #expect(try names.name(for: message(.text("x", route: route))) == route.uppercased())
            }
        }
        #expect(checks.count.withLock { $0 } == 2)
        #expect(throws: MessageRefusal("no bad", isOfTarget: true)) {
            try names.name(for: message(.text("x", route: "bad")))
        }
    }

    @Test func aConstantIsCheckedAtTheBeginning() throws {
        let checks = Checks()
        let (good, bad) = (checks.names("a"), checks.names("bad"))
        for _ in 0..<3 {
            #expect(try good.name(for: message(.text("x"))) == "A")
            #expect(throws: MessageRefusal("no bad", isOfTarget: true)) { try bad.name(for: message(.text("x"))) }
        }
        #expect(checks.count.withLock { $0 } == 2)
    }

    @Test func moreNamesThanAreKeptAreNames() throws {
        let names = Checks().names("{header.n}")
        for number in 0..<20_001 {
            #expect(try names.name(for: message(.text("x", headers: ["n": "q\(number)"]))) == "Q\(number)")
        }
    }
}

import Testing

@testable import OutboxPostgres

@Suite(.timeLimit(.minutes(10))) struct LibPQStatementTests {
    @Test func interpolationBinds() {
        let (name, number): (String, Int?) = ("O'Neill", nil)
        let statement: LibPQStatement = "SELECT * FROM \(unescaped: "person") WHERE name = \(name) AND age = \(number)"
        #expect(statement.text == "SELECT * FROM person WHERE name = $1 AND age = $2")
        #expect(statement.binds == [.text("O'Neill"), .null])
        #expect(statement.name == nil)
    }

    @Test func descriptionHidesValues() {
        let statement: LibPQStatement = "SELECT \("secret")"
        #expect(statement.description == "SELECT $1")
        #expect("\(statement)" == "SELECT $1")
    }

    @Test func manyValues() {
        var interpolation = LibPQStatement.StringInterpolation(literalCapacity: 0, interpolationCount: 0)
        for number in 1...12 { interpolation.appendInterpolation(number) }
        #expect(LibPQStatement(stringInterpolation: interpolation).text.hasSuffix("$10$11$12"))
    }
}

@Suite(.timeLimit(.minutes(10))) struct PreparedStatementsTests {
    @Test func preparesOncePerSetOfTypes() {
        var statements = PreparedStatements()
        func look(_ types: [UInt32]) -> PreparedStatements.Lookup {
            statements.lookup("name", text: "SELECT $1, $2", types: types[...])
        }
        #expect(
            [look([20, 25]), look([20, 25]), look([0, 25]), look([0, 0])] == [
                .prepare(serverName: "name"), .ready(serverName: "name"), .ready(serverName: "name"),
                .ready(serverName: "name"),
            ])
        #expect([look([23, 25]), look([23, 0])] == [.prepare(serverName: "name/2"), .ready(serverName: "name/2")])
    }

    @Test func aTypeThatTheServerChoseSuitsOnlyNull() {
        var statements = PreparedStatements()
        let lookups = [[0], [0], [20], [0]].map { statements.lookup("name", text: "SELECT $1", types: $0[...]) }
        #expect(
            lookups == [
                .prepare(serverName: "name"), .ready(serverName: "name"), .prepare(serverName: "name/2"),
                .ready(serverName: "name"),
            ])
    }

    @Test func neverUsesANameOfTheServerTwice() {
        var statements = PreparedStatements()
        var names: Set<String> = []
        for _ in 0..<5 {
            guard case .prepare(let name) = statements.lookup("name", text: "SELECT 1", types: []) else {
                Issue.record("not prepared")
                return
            }
            #expect(names.insert(name).inserted)
            statements.invalidate("name", serverName: name)
        }
    }

    @Test func oneTextForOneName() {
        var statements = PreparedStatements()
        let lookups = ["SELECT 1", "SELECT 2", "SELECT 1"].map { statements.lookup("name", text: $0, types: []) }
        #expect(lookups == [.prepare(serverName: "name"), .conflict, .ready(serverName: "name")])
    }
}

@Suite(.timeLimit(.minutes(10))) struct CancelScheduleTests {
    @Test func repeatsUntilTheStatementEnds() {
        var schedule = CancelSchedule()
        var now = ContinuousClock.now
        #expect(!schedule.isRequested)
        let requests = [schedule.request(), schedule.request()]
        #expect(requests == [true, false])
        #expect(schedule.isSending)
        var pauses: [Duration] = []
        for _ in 0..<8 {
            schedule.requestEnded(now: now)
            #expect(!schedule.isSending && schedule.isRequested)
            let deadline = schedule.deadline ?? now
            pauses.append(deadline - now)
            let tooEarly = schedule.timePassed(now: now)
            #expect(!tooEarly)
            now = deadline
            let isDue = schedule.timePassed(now: now)
            #expect(isDue && schedule.isSending && schedule.deadline == nil)
        }
        #expect(pauses.first == CancelSchedule.firstPause)
        #expect(pauses.last == CancelSchedule.longestPause)
        #expect(pauses == pauses.sorted())
    }
}

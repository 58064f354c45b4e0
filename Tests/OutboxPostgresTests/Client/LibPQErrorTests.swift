import Testing

@testable import OutboxPostgres

@Suite(.timeLimit(.minutes(10))) struct LibPQErrorTests {
    private func serverError(_ state: String, _ message: String = "the value “secret”") -> LibPQError {
        LibPQError(
            .server, "the server refused the statement",
            server: ServerReport(sqlState: state, severity: "ERROR", message: message, hint: "try “hint”"))
    }

    @Test(arguments: ["40001", "40P01", "55P03", "57P01", "57P02", "57P03", "53300", "53200", "08006"])
    func retriable(state: String) {
        #expect(serverError(state).isRetriable)
    }

    @Test(arguments: ["23505", "42601", "22P02", "57014", "28P01", "3D000", "P0001"])
    func notRetriable(state: String) {
        #expect(!serverError(state).isRetriable)
    }

    @Test func retriableByCode() {
        #expect(LibPQError(.connectionLost, "").isRetriable)
        #expect(LibPQError(.connect, "").isRetriable)
        #expect(LibPQError(.timeout, "").isRetriable)
        for code: LibPQError.Code in [
            .cancelled, .decoding, .configuration, .invalidValue, .transactionState, .poolClosed,
        ] {
            #expect(!LibPQError(code, "").isRetriable)
        }
    }

    @Test(arguments: ["22P02", "P0001", "XX000", "21000", "38000", "F0000"]) func hidesDataOfTheServer(state: String) {
        let error = serverError(state)
        #expect(!error.description.contains("secret"))
        #expect(error.description.contains(state))
        #expect(error.debugDescription.contains("secret"))
        #expect(error.debugDescription.contains("hint"))
    }

    @Test(arguments: [
        "08001", "0A000", "23505", "25006", "28P01", "3D000", "3F000", "40001", "42P01", "53300", "54000", "55P03",
        "57P01", "58030",
    ])
    func repeatsWhatHoldsOnlyNames(state: String) {
        #expect(serverError(state, "relation x").description.contains("relation x"))
    }

    @Test func saysWhereInThePipeline() {
        let error = LibPQError(.server, "refused", statementIndex: 4)
        #expect(error.description.contains("statement 4"))
        #expect(error.debugDescription.contains("LibPQErrorTests.swift"))
    }

    @Test func readsTheStateOfAFailedLogin() {
        let error = LibPQError(
            connectFailure: """
                connection to server at "localhost" (::1), port 5432 failed: Connection refused
                \tIs the server running on that host and accepting TCP/IP connections?
                connection to server at "localhost" (127.0.0.1), port 5432 failed: FATAL:  28P01: password authentication failed for user "me"
                LOCATION:  auth_failed, auth.c:326

                """)
        #expect(error.code == .connect)
        #expect(error.sqlState == "28P01")
        #expect(error.description.contains("password is missing or wrong"))
        #expect(error.description.contains("user \"me\""))
        #expect(!error.isRetriable)
    }

    @Test func anOldServersComplaint() {
        let error = LibPQError(connectFailure: "connection to server failed: could not do it\n")
        #expect(error.sqlState == nil)
        #expect(error.description.contains("could not do it"))
        #expect(LibPQError(connectFailure: "").code == .connect)
    }

    @Test func transactionErrorsNameTheirParts() {
        let error = LibPQTransactionError(
            bodyError: TestError(number: 99), rollbackError: LibPQError(.connectionLost, "gone"))
        #expect(error.description.contains("TestError"))
        #expect(!error.description.contains("99"))
        #expect(error.description.contains("ROLLBACK failed: gone"))
        #expect(error.debugDescription.contains("99"))
    }

    /// A savepoint in the transaction could not be undone either: what was lost is named, and once.
    @Test func transactionErrorsNameWhatIsInThem() {
        let gone = LibPQError(.connectionLost, "gone")
        let error = LibPQTransactionError(
            bodyError: LibPQTransactionError(bodyError: gone, rollbackError: gone), rollbackError: gone)
        #expect(error.description == "the transaction failed: gone; ROLLBACK failed: gone")
        #expect(error.isRetriable)
    }
}

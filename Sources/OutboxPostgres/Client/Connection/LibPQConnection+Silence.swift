internal import Logging

/// A server that owes an answer and says nothing; see ``SilenceWatch``.
extension LibPQConnection {
    /// The time has come at which silence has a consequence, or may have.
    func silenceHasLasted() {
        switch exchange.silence?.timePassed(now: .now) {
        case .ask(let deadline):
            guard mayInquire else { return }
            let id = exchange.id
            let statements = exchange.statements
            let started = established
            // It has no task to be a child of: the caller's may be cancelled, and goes on waiting. It ends soon after the deadline.
            Task { [inquiry] in
                await inquiry.run(
                    for: self, exchange: id, statements: statements, age: .now - started, until: deadline)
            }
        case .giveUp: giveUpSilentServer()
        case .wait, nil: break
        }
    }

    /// The server has said what the session does.
    func silentServer(in id: Int, does work: ServerWork) {
        guard exchange.id == id, loss == nil else { return }
        exchange.silence?.serverIsWorking(now: .now)
        rearm()
        guard exchange.knownWork?.kind != work.kind else { return }
        exchange.knownWork = work
        logger.log(level: work.level, work.message, metadata: work.metadata(process: processID))
    }

    /// The server has said that it waits for this client, or has no such session.
    ///
    /// - Returns: Whether the connection is lost for that.
    func silentServer(isWaitingIn id: Int) -> Bool {
        if let loss { return loss.isSilence }
        guard exchange.id == id, exchange.silence?.isAsking == true else { return false }
        giveUpSilentServer()
        return true
    }

    private func giveUpSilentServer() {
        let limit = answerTimeout.map { "\($0)" } ?? ""
        lose(
            LibPQError(
                .connectionLost,
                """
                the server has said nothing for \(limit), and does not say elsewhere that it is at work; the connection was \
                given up
                """, isSilence: true))
    }
}

/// Why a server that is at work has not answered yet.
struct ServerWork: Sendable, Equatable {
    enum Kind: Sendable, Equatable {
        case statement
        case lock
        case synchronousStandby
    }

    let kind: Kind
    /// The server processes that hold the lock, separated by commas.
    let blockers: String

    var level: Logger.Level { kind == .statement ? .notice : .warning }

    var message: Logger.Message {
        switch kind {
        case .statement: "A statement takes long; the server is at work on it"
        case .lock: "A statement waits for a lock that another session holds"
        case .synchronousStandby: "A commit waits for a synchronous standby"
        }
    }

    func metadata(process: Int32) -> Logger.Metadata {
        var metadata: Logger.Metadata = ["postgres.process": "\(process)"]
        if !blockers.isEmpty { metadata["postgres.blocked_by"] = "\(blockers)" }
        return metadata
    }
}

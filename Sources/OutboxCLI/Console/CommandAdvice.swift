import Outbox
import OutboxPostgres

/// What this program can do about errors and findings of the libraries, which know nothing of its commands.
enum CommandAdvice {
    /// An error's text, with the command that helps.
    static func completed(_ error: any Error) -> String {
        let text = String(describing: error)
        switch error {
        case let error as OutboxError where error.code == .schemaName: return "--schema: \(text)"
        case let error as LibPQTransactionError where error.isCommitUnknown:
            return "\(text); look whether it is done before you do it again"
        default: return [text, self.advice(for: error)].compactMap(\.self).joined(separator: " ")
        }
    }

    private static func advice(for error: any Error) -> String? {
        switch error {
        case let error as OutboxError: self.advice(for: error)
        case let error as RelayError where error.code == .log: "To see the migrations: outbox schema"
        case let error as RelayError: error.underlying.flatMap(self.advice)
        case let error as LibPQError where ["42P05", "26000"].contains(error.sqlState):
            "Here, that is --no-prepared-statements."
        default: nil
        }
    }

    private static func advice(for error: OutboxError) -> String? {
        guard let option = error.schema?.option else { return nil }
        return switch error.code {
        case .schemaMissing: "To create it: outbox migrate up\(option)"
        case .schemaUnversioned, .schemaTooOld: "To do that: outbox migrate up\(option)"
        case .schemaOccupied: "To name another: --schema"
        case .privilege: "To see the statements: outbox schema --grants\(option)"
        case .streamMissing: "To see those that there are: outbox stream list\(option)"
        case .subscriptionMissing: "To see those that there are: outbox subscription list\(option)"
        default: nil
        }
    }

    /// What to do about a finding of the doctor, with the command that helps.
    ///
    /// - Parameter schema: The outbox that the doctor has looked at.
    static func advice(for finding: DoctorFinding, of schema: OutboxSchema) -> String? {
        let option = schema.option
        return switch finding.remedy {
        case nil: finding.advice
        case .createSchema: "Create it: outbox migrate up\(option). Or name another schema."
        case .migrate: "Apply it: outbox migrate up\(option)"
        case .restoreVersions: "Restore them: outbox migrate up\(option)"
        case .acceptDrift:
            """
            Use the program that applied it. If the difference does not matter, “outbox migrate up\(option)” says how to \
            accept it.
            """
        case .restoreObject: "Restore it from the migration that made it: outbox schema\(option) prints it."
        case .pollMoreOften:
            """
            Connect without a pooler, or through one in session mode. Until then a relay finds messages by its \
            fallback poll only, every 30 s; --poll 1s looks more often.
            """
        case .runJanitor:
            "Run a relay that has the grants of this version, or “outbox janitor” every hour. If one runs, see its log."
        case .findUnpassed:
            """
            Find whose they are: “outbox status” names destinations without a relay, “outbox stream list” those that are \
            paused or behind, each with --subscription.
            """
        case .runRelay: "Start one: outbox relay, or your own."
        case .listDeferred: "See with which errors: outbox deferred list --group-by error."
        case .listDeadLetters:
            "See why: outbox dead-letter list --group-by error; then outbox dead-letter replay, or discard."
        case .addRoute:
            """
            Give a relay a route for it. If the name is a mistake, throw away what waits: outbox stream discard NAME\(option).
            """
        case .resumeStream: "When it may go on: outbox stream resume NAME."
        case .endSilentRelay(let process):
            """
            With the default fallback poll it asks something every 30 s: its process may be frozen or its network gone. If \
            it is not run with --no-fallback-poll: SELECT pg_terminate_backend(\(process)), and another one takes over.
            """
        }
    }
}

extension OutboxSchema {
    /// The option that names this schema, where it has to be given, as a shell reads it.
    var option: String {
        if self.name == "outbox" { return "" }
        let isPlain = self.name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "_.-".contains($0)) }
        return " --schema " + (isPlain ? self.name : "'\(self.name.replacing("'", with: "'\\''"))'")
    }
}

/// With what the program ends. The numbers are those of `sysexits.h` where it has one.
enum ExitStatus: Int32, CaseIterable {
    /// All that was asked has been done.
    case success = 0
    /// It failed in a way that has no number of its own.
    case failure = 1
    /// A doctor has found warnings and nothing worse; a status that was checked is not well; a relay that was to end when nothing is left has made
    /// dead letters.
    case warnings = 2
    /// The command line is wrong, or the configuration.
    case usage = 64
    /// The input is wrong: a line that is no message, a message that the outbox does not take.
    case badInput = 65
    /// The input cannot be read.
    case noInput = 66
    /// The server cannot be reached, or has gone away.
    case unavailable = 69
    /// The output file cannot be opened.
    case cannotCreate = 73
    /// Reading or writing failed midway.
    case inputOutput = 74
    /// The server refuses the login, or the role lacks a privilege.
    case noPermission = 77
    /// The database or the outbox's schema is missing, or of a version that this program cannot work with.
    case wrongSchema = 78
    /// Interrupted: a relay for the second time, a demonstration for the first.
    case interrupted = 130

    /// What the number means, as `--help` says it.
    var meaning: String {
        switch self {
        case .success: "done"
        case .failure: "failed; doctor: something does not work"
        case .warnings: "doctor: there are warnings; status --check: not well; relay --until-empty: dead letters"
        case .usage: "the command line or the configuration is wrong"
        case .badInput: "the input is wrong; nothing was enqueued"
        case .noInput: "the input cannot be read"
        case .unavailable: "the server cannot be reached; relay --check: a route"
        case .cannotCreate: "the output file cannot be opened"
        case .inputOutput: "reading or writing failed"
        case .noPermission: "login refused, or a privilege is missing"
        case .wrongSchema: "database or schema missing, or of the wrong version"
        case .interrupted: "interrupted"
        }
    }

    /// The list of all numbers, for `--help`.
    static var help: String {
        "EXIT CODES:\n"
            + Self.allCases
            .map { status in
                let number = String(status.rawValue)
                return "  " + number + String(repeating: " ", count: 5 - number.count) + status.meaning
            }
            .joined(separator: "\n")
    }
}

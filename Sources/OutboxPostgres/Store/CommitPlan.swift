import Outbox

/// What makes settlements durable: statements, each with what its answer means, and what it means that it fails.
///
/// A value type without I/O. One pipeline of these without BEGIN is one transaction, which ends with it.
struct CommitPlan {
    /// What a statement is for.
    enum Step {
        /// Fails where the log is another than the session's.
        case sameLog
        /// Fails where ids have begun again; returns the last one.
        case idsHaveRisen
        /// Fails where a message that is copied has the number of one that was copied before.
        case numbers(StreamID)
        /// Defers so many messages.
        case deferring(Int)
        /// Moves a stream's stored cursor there; returns the place of its row, or nothing where the cursor was moved by others. Fails
        /// where messages with numbers of another time were passed.
        case moving(StreamID, to: Cursor)
        /// Notes how a process began; returns the place of the stream's row.
        case noting(StreamID)
        /// What returns nothing of interest.
        case changing
    }

    /// The streams of which something is made durable.
    let streams: [StreamID]
    private(set) var steps: [(step: Step, statement: LibPQStatement)]

    /// - Parameters:
    ///   - preamble: What comes before all that is of a stream.
    ///   - works: What is to be made durable of each stream.
    init(preamble: [(Step, LibPQStatement)], _ works: [StreamWork]) {
        self.streams = works.map(\.stream)
        self.steps = preamble + works.flatMap(\.steps)
    }

    /// What is to be made durable of one stream, in an order in which each statement finds what it needs.
    struct StreamWork {
        let stream: StreamID
        var steps: [(Step, LibPQStatement)] = []
    }

    var statements: [LibPQStatement] { self.steps.map(\.statement) }

    /// What failed; nil: none of the statements did, but the commit or the connection.
    func step(of error: LibPQError) -> Step? {
        guard let index = error.statementIndex, self.steps.indices.contains(index) else { return nil }
        return self.steps[index].step
    }
}

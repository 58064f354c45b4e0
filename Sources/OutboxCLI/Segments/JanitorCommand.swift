import ArgumentParser
import OutboxPostgres
import OutboxRuntime

/// `outbox janitor`: what a relay does with the log's segments, once.
struct JanitorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "janitor",
        abstract: "Remove from the log what every stream has passed, once.",
        discussion: """
            A relay does this by itself. The log is a ring of four segments; new messages go to one of them, and one that is \
            old enough and that every stream has passed is emptied. No producer waits for that.

            EXAMPLES:
              outbox janitor
              outbox janitor --retention 0 --json
            """)

    @OptionGroup
    var server: ServerOptions

    @OptionGroup
    var segments: SegmentOptions

    @Flag(help: "Print what was found and done as JSON.")
    var json = false

    func run() async throws {
        let schema = try self.server.schema
        let policy = self.segments.policy(try self.server.layer.segments)
        if let remark = self.segments.remark(try self.server.layer.segments) { Terminal.error.print(remark) }
        let report = try await self.server.withConnection(application: "janitor") { connection in
            return try await OutboxJanitor(schema: schema, policy: policy).run(on: connection)
        }
        if self.json { return self.printJSON(report) }
        var table = Table(("SEGMENT", .right), ("SIZE", .right), ("AGE", .right), ("STATE", .left))
        for segment in report.segments {
            table.add(
                String(segment.number), StatusOutput.size(segment.bytes), segment.age.short, segment.outcome.explanation
            )
        }
        table.print()
        if report.expiredKeys > 0 {
            Terminal.output.print("\(report.expiredKeys.grouped) expired idempotency keys removed")
        }
        if let next = report.advancedTo { Terminal.output.print("new messages go to segment \(next)") }
    }

    private func printJSON(_ report: JanitorReport) {
        var json = JSONWriter()
        json.beginObject()
        json.name("segments")
        json.beginArray()
        for segment in report.segments {
            json.beginObject()
            json.name("number")
            json.integer(segment.number)
            json.name("bytes")
            json.integer(segment.bytes)
            json.name("age_seconds")
            json.double(segment.age.inSeconds)
            json.name("outcome")
            json.string(segment.outcome.rawValue)
            json.endObject()
        }
        json.endArray()
        json.name("advanced_to")
        if let next = report.advancedTo { json.integer(next) } else { json.null() }
        json.name("expired_keys")
        json.integer(report.expiredKeys)
        json.endObject()
        json.print()
    }
}

extension JanitorReport.Outcome {
    fileprivate var explanation: String {
        switch self {
        case .current: "current"
        case .empty: "empty"
        case .retained: "kept until the retention is over"
        case .unread: "not passed by every stream, or of a destination without one"
        case .busy: "in use; tried again later"
        case .truncated: "emptied"
        }
    }
}

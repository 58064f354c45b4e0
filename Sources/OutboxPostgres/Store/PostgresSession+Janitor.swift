import Logging
import Outbox

extension PostgresSession {
    /// When the segments are to be looked after next; nil: not before messages are read.
    var janitorDue: ContinuousClock.Instant? { self.janitorSchedule?.nextPass(now: self.clock.now) }

    /// Looks after the segments between two reads, if it is time.
    ///
    /// What goes wrong with that is no reason to deliver nothing; that the session has ended is.
    func runJanitorIfDue() async throws {
        guard let segments, let due = self.janitorDue, self.clock.now >= due else { return }
        do {
            let report = try await OutboxJanitor(schema: self.schema, policy: segments).pass(on: self.connection)
            self.janitorSchedule?.passed(at: self.clock.now, next: report.next)
            for segment in report.segments where segment.outcome == .truncated {
                self.logger.debug(
                    "Emptied a segment of the log",
                    metadata: ["outbox.segment": "\(segment.number)", "outbox.bytes": "\(segment.bytes)"])
            }
        } catch {
            guard await self.connection.transactionStatus == .idle, !Task.isCancelled else {
                throw error
            }
            self.janitorSchedule?.passed(at: self.clock.now, next: segments.interval)
            if self.janitorHasFailed { return }
            self.janitorHasFailed = true
            self.logger.warning(
                "The segments of the log could not be looked after; that is tried again",
                metadata: ["outbox.error": "\(error)"])
        }
    }
}

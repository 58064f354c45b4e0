import OutboxPostgres

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What is known of the database at a scrape.
struct DatabaseLook: Sendable {
    /// What the last look has found; nil: it failed, or there was none. Old numbers are never shown.
    var figures: DatabaseFigures?
    /// The same, stream by stream.
    var status: OutboxStatus?
    /// Why the last look has failed; nil: it has not, or there was none.
    var failure: String?
    /// How far messages of a stream were counted.
    var countLimit = 0
    /// How long the last look took, whatever came of it.
    var time = Duration.zero
    /// When one last succeeded; nil: never.
    var succeededAt: Date?
}

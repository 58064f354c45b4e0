import OutboxPrometheus

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What `/metrics` says: the metrics of the libraries, how the relay is, and what a look at the database has found.
struct MetricsPage: Sendable {
    let registry: MetricRegistry
    let looks: DatabaseLooks
    let health: @Sendable () -> RelayHealth

    func callAsFunction(_ format: ExpositionFormat) async -> [UInt8] {
        let look = await self.looks.current()
        return Exposition.bytes(
            RelayFamilies.all(self.health()) + DatabaseFamilies.all(look) + self.registry.families, format)
    }

    /// A registry for the process's metrics, in which those of this page are not to be made.
    static func registry() -> MetricRegistry {
        MetricRegistry(help: LibraryMetrics.help, reserved: RelayFamilies.names.union(DatabaseFamilies.names))
    }
}

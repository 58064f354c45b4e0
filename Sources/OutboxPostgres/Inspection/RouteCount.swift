#if canImport(FoundationEssentials)
package import FoundationEssentials
#else
package import Foundation
#endif

/// How many of a destination's last messages have one route.
package struct RouteCount: Sendable, Hashable {
    /// Topic, queue, routing key or path inside the destination; nil: none.
    package var route: String?
    /// How many they are.
    package var messages: Int
    /// When the last of them was enqueued; nil: at no time that there is.
    package var lastAt: Date?

    /// Reads a row of the statement routes.
    init(_ row: LibPQRow) throws(LibPQError) {
        self.route = try row.decode("route")
        self.messages = try row.decode("messages", as: Int.self)
        self.lastAt = try row.decode("last_at", as: Date?.self)
    }
}

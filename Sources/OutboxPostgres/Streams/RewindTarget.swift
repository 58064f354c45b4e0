#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// From where on messages come again.
public struct RewindTarget: Sendable, Hashable {
    enum Kind: Sendable, Hashable {
        case id(Int64)
        case time(Date)
    }

    let kind: Kind

    /// From the message with that id on, which need not exist any more.
    public static func id(_ id: Int64) -> RewindTarget { RewindTarget(kind: .id(id)) }

    /// From the first message on that was enqueued then or later, by the time at which its transaction began. Messages with
    /// higher ids come again too, though some of their transactions may have begun before.
    public static func time(_ date: Date) -> RewindTarget { RewindTarget(kind: .time(date)) }
}

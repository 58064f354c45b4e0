/// The numbers of a log's advisory locks, after the log's oid. Those of streams are the streams' own, which are positive.
///
/// Beside these: 0, the bell; those by which the relays of a subscription are counted (`sql/fleet/join.sql`); the lowest, of
/// `truncate_segment`.
enum FleetLock {
    /// Held by the relay that takes the bell.
    static let keeper: Int32 = -1

    /// Shared by the relays of a subscription that have a route for a destination. From -2 to -1073741825: those of two may be the same, in
    /// which case a relay is thought to have a route that it does not have.
    ///
    /// - Parameter destination: nil: for all others.
    static func route(_ destination: String?, subscription: String) -> Int32 {
        // FNV-1a, 32 bits: the same in each relay, whatever it runs on.
        var hash: UInt32 = 2_166_136_261
        for byte in Array(subscription.utf8) + [0] + Array((destination ?? "").utf8) {
            hash = (hash ^ UInt32(byte)) &* 16_777_619
        }
        return -2 - Int32(hash & 0x3FFF_FFFF)
    }
}

/// The numbers of a log's advisory locks, after the log's oid. Those of streams are the streams' own, which are positive.
///
/// Beside these: 0, the bell; the lowest, of `truncate_segment`. `sql/fleet/look.sql` and `sql/doctor/locks.sql` know the ranges.
enum FleetLock {
    /// Held by the relay that takes the bell.
    static let keeper: Int32 = -1

    /// Shared by the relays of a subscription that have a route for a destination. From -2 to -1073741825: those of two may be the same, in
    /// which case a relay is thought to have a route that it does not have.
    ///
    /// - Parameter destination: nil: for all others.
    static func route(_ destination: String?, subscription: String) -> Int32 {
        -2 - Int32(self.hash(Array(subscription.utf8) + [0] + Array((destination ?? "").utf8)) & 0x3FFF_FFFF)
    }

    /// Shared by all relays of a subscription. -2147483647 for `main`, from -1073741826 to -1610612737 for others.
    static func relays(of subscription: String) -> Int32 {
        subscription == "main"
            ? -2_147_483_647 : -1_073_741_826 - Int32(self.hash(Array(subscription.utf8)) & 0x1FFF_FFFF)
    }

    /// FNV-1a, 32 bits: the same in each relay, whatever it runs on.
    private static func hash(_ bytes: [UInt8]) -> UInt32 {
        bytes.reduce(2_166_136_261) { ($0 ^ UInt32($1)) &* 16_777_619 }
    }
}

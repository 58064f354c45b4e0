import ArgumentParser
import OutboxPostgres

/// How much of the log is kept, and for how long.
struct SegmentOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("How long what was delivered is kept, at least.", valueName: "interval"),
        transform: Interval.init(parsing:))
    var retention = Interval(SegmentPolicy().retention)

    @Option(
        help: ArgumentHelp(
            "How long new messages go to one segment; not less than a third of the retention.", valueName: "interval"),
        transform: Interval.init(parsing:))
    var segmentAge = Interval(SegmentPolicy().maximumAge)

    @Option(help: ArgumentHelp("How big a segment gets before its time is over.", valueName: "MiB"))
    var segmentSize = SegmentPolicy().maximumBytes >> 20

    func validate() throws {
        if self.segmentSize < 1 || self.segmentSize > 1 << 30 {
            throw ValidationError("--segment-size is 1 to 1073741824.")
        }
    }

    /// What the library understands.
    var policy: SegmentPolicy {
        var policy = SegmentPolicy()
        policy.retention = self.retention.duration
        policy.maximumAge = self.segmentAge.duration
        policy.maximumBytes = self.segmentSize << 20
        return policy
    }
}

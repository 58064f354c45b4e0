import ArgumentParser
import OutboxPostgres
import OutboxRuntime

/// How much of the log is kept, and for how long. What is not given is nil.
struct SegmentOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "How long what was delivered is kept, at least. (default: \(Self.usual.retention.short))",
            valueName: "interval"),
        transform: Interval.init(parsing:))
    var retention: Interval?

    @Option(
        help: ArgumentHelp(
            """
            How long new messages go to one segment; not less than a third of the retention. (default: \
            \(Self.usual.maximumAge.short))
            """, valueName: "interval"),
        transform: Interval.init(parsing:))
    var segmentAge: Interval?

    @Option(
        help: ArgumentHelp(
            "How big a segment gets before its time is over. (default: \(Self.usual.maximumBytes >> 20))",
            valueName: "MiB"))
    var segmentSize: Int?

    private static let usual = SegmentPolicy()

    func validate() throws {
        if let segmentSize, !(1...1 << 30).contains(segmentSize) {
            throw ValidationError("--segment-size is 1 to 1073741824.")
        }
    }

    /// What of it has no effect, in a sentence; nil: nothing is without.
    func remark(_ layer: SegmentLayer) -> String? {
        let policy = self.policy(layer)
        let least = policy.retention / 3
        guard self.segmentAge != nil || layer.age != nil, policy.maximumAge < least else { return nil }
        return """
            A segment age of \(policy.maximumAge.short) has no effect: a segment takes messages for \(least.short), a third of the \
            retention
            """
    }

    /// What the library understands, over a layer of settings.
    func policy(_ layer: SegmentLayer) -> SegmentPolicy {
        var policy = SegmentPolicy()
        if let retention = self.retention?.duration ?? layer.retention { policy.retention = retention }
        if let age = self.segmentAge?.duration ?? layer.age { policy.maximumAge = age }
        if let size = self.segmentSize ?? layer.mebibytes { policy.maximumBytes = size << 20 }
        return policy
    }
}

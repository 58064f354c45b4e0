/// When the log goes on to its next segment, and when one that every stream has passed is emptied.
///
/// The log is a ring of four segments. What was delivered is kept for the retention, so that a stream can be rewound, and
/// removed a whole segment at a time. So it is kept for up to a third longer; or as long as a stream has not passed it.
public struct SegmentPolicy: Sendable, Hashable {
    /// How long a segment is kept after the log has gone on to the next one. Default 24 h. Zero or less: no longer than it
    /// takes to be passed.
    public var retention: Duration = .seconds(24 * 3600)
    /// How long new messages go to one segment, at most; but not less than a third of the retention, for with three segments
    /// that wait for it, the fourth would have to take all the rest. Default 1 h.
    public var maximumAge: Duration = .seconds(3600)
    /// How big a segment gets on disk, indexes included, before the log goes on, unless a third of the retention has not
    /// passed yet. Default 1 GiB.
    public var maximumBytes = 1 << 30
    /// How long to wait between two looks, at least. Default 10 s.
    public var interval: Duration = .seconds(10)

    /// The default policy.
    public init() {}
}

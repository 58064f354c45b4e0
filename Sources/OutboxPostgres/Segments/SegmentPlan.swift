/// What is known of a segment before the janitor acts.
struct SegmentFacts: Sendable, Hashable {
    let number: Int
    /// Whether new messages go there.
    let isCurrent: Bool
    let isEmpty: Bool
    /// On disk, with indexes.
    let bytes: Int
    /// For how long it has been current, or not.
    let age: Duration
}

/// What there is to do with the segments of a log, and when to look again. A value without I/O or clock.
struct SegmentPlan: Sendable, Hashable {
    /// Which are old enough to be emptied, if all streams have passed them; the oldest first.
    private(set) var candidates: [Int] = []
    /// The current segment, if it has been current for long enough; nil: it stays current.
    private(set) var finished: Int?
    /// When the next segment will be old enough for something, counted from now; nil: not by time alone.
    private(set) var next: Duration?

    init(_ segments: [SegmentFacts], policy: SegmentPolicy) {
        let retention = max(policy.retention, .zero)
        let shortest = retention / 3
        for segment in segments.sorted(by: { $0.age > $1.age }) where !segment.isEmpty {
            let isBig = segment.bytes >= policy.maximumBytes
            let limit = segment.isCurrent ? (isBig ? shortest : max(policy.maximumAge, shortest)) : retention
            if segment.age < limit {
                self.next = min(self.next ?? .seconds(Int64.max), limit - segment.age)
            } else if segment.isCurrent {
                self.finished = segment.number
            } else {
                self.candidates.append(segment.number)
            }
        }
    }
}

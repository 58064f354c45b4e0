/// How streams go from one relay to another, in time.
package enum Handover {
    /// How long a stream that another relay is to have may take to be finished. Nothing of it is read meanwhile; what takes longer stays.
    package static let longest = Duration.seconds(5)
    /// How long a stream rests that could not be given, or that another relay was to take and did not.
    package static let rest = Duration.seconds(60)
}

/// Which streams a relay takes and which it gives up, of those that several relays share.
///
/// Each stream has the relays that have a route for its destination. One without an owner goes to the one of them that has the fewest; then,
/// as long as a relay has at least two more than another one that could have one of its streams, that one moves. So what does not have
/// to move stays where it is, a plan that is carried out is followed by one that moves nothing, and relays with the same routes end
/// with as many streams each, give or take one.
///
/// All relays work out the same plan from what they see; each carries out its own part. A value type without I/O or clock.
package struct SharePlan<Member: Hashable & Comparable & Sendable>: Sendable {
    /// A stream, as all relays see it.
    package struct Stream: Sendable {
        package let id: StreamID
        /// The relay that has it; nil: none has.
        package let owner: Member?
        /// The relays that have a route for its destination.
        package let candidates: Set<Member>

        package init(_ id: StreamID, owner: Member?, candidates: Set<Member>) {
            self.id = id
            self.owner = owner
            self.candidates = candidates
        }
    }

    /// Streams without an owner that fall to the relay.
    package private(set) var taken: [StreamID] = []
    /// The relay's streams that are for others.
    package private(set) var given: [StreamID] = []

    /// - Parameters:
    ///   - streams: All streams that the relay has a route for.
    ///   - loads: How many streams each relay has beside these. A relay that counted only those that it has routes for would plan
    ///     otherwise than others.
    ///   - fixed: Streams that stay where they are.
    ///   - member: The relay that the plan is for.
    package init(
        _ streams: [Stream], beside loads: [Member: Int] = [:], fixed: Set<StreamID> = [], for member: Member
    ) {
        var loads = loads
        for stream in streams {
            for candidate in stream.candidates { loads[candidate, default: 0] += 0 }
            if let owner = stream.owner { loads[owner, default: 0] += 1 }
        }
        func least(_ candidates: Set<Member>) -> Member? {
            candidates.min { (loads[$0] ?? 0, $0) < (loads[$1] ?? 0, $1) }
        }
        var held: [Member: [Stream]] = [:]
        for stream in streams.sorted(by: { $0.id.value < $1.id.value }) {
            if let owner = stream.owner {
                held[owner, default: []].append(stream)
            } else if let next = least(stream.candidates) {
                loads[next, default: 0] += 1
                held[next, default: []].append(stream)
                if next == member { self.taken.append(stream.id) }
            }
        }
        // The one with the most gives first, the newest of its streams.
        while (loads.values.max() ?? 0) - (loads.values.min() ?? 0) >= 2 {
            var isMoved = false
            for donor in held.keys.sorted(by: { (loads[$0] ?? 0, $0) > (loads[$1] ?? 0, $1) }) {
                let load = loads[donor] ?? 0
                let index = held[donor]?.lastIndex { stream in
                    guard stream.owner == donor, !fixed.contains(stream.id), let next = least(stream.candidates)
                    else { return false }
                    return load - (loads[next] ?? 0) >= 2
                }
                guard let index, let stream = held[donor]?.remove(at: index), let next = least(stream.candidates)
                else { continue }
                loads[donor] = load - 1
                loads[next, default: 0] += 1
                // What has moved once in a plan stays there.
                held[next, default: []].append(Stream(stream.id, owner: nil, candidates: []))
                if donor == member { self.given.append(stream.id) }
                isMoved = true
                break
            }
            if !isMoved { return }
        }
    }
}

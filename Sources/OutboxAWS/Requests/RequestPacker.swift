/// Divides messages into requests: each to one target, with so many messages and bytes at most, in order.
struct RequestPacker: Sendable, Hashable {
    /// A message to be packed.
    struct Item: Sendable, Hashable {
        let index: Int
        /// The number of its target.
        let target: Int
        let byteCount: Int
    }

    /// What goes into one request.
    struct Load: Sendable, Hashable {
        let target: Int
        var indexes: [Int]
        var byteCount: Int
    }

    let maximumCount: Int
    let maximumBytes: Int

    /// The requests, each as full as the order lets it be: a message goes into the last request of its target or begins another. One that
    /// is too large for any has a request of its own.
    func loads(of items: [Item]) -> [Load] {
        guard let first = items.first else { return [] }
        // But for the one that is being filled, which is somewhere else, so that nothing is copied.
        var loads = [Load(target: first.target, indexes: [], byteCount: 0)]
        var (last, place) = (loads[0], 0)
        last.indexes.reserveCapacity(min(items.count, self.maximumCount))
        var lastOfTarget: [Int: Int] = [:]
        func begin(_ target: Int) {
            loads[place] = last
            last = Load(target: target, indexes: [], byteCount: 0)
            place = loads.count
            loads.append(last)
        }
        for item in items {
            // What follows is for the same target most of the time.
            if item.target != last.target {
                lastOfTarget[last.target] = place
                if let other = lastOfTarget[item.target] {
                    loads[place] = last
                    (last, place) = (loads[other], other)
                    loads[other].indexes = []
                } else {
                    begin(item.target)
                }
            }
            let hasRoom =
                last.indexes.count < self.maximumCount && last.byteCount + item.byteCount <= self.maximumBytes
            if !hasRoom, !last.indexes.isEmpty { begin(item.target) }
            last.indexes.append(item.index)
            last.byteCount += item.byteCount
        }
        loads[place] = last
        return loads
    }
}

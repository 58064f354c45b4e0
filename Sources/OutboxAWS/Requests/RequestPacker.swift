/// Divides messages into requests: each to one target, with so many messages and bytes at most, in order.
struct RequestPacker: Sendable, Hashable {
    /// A message to be packed.
    struct Item: Sendable, Hashable {
        let index: Int
        let target: String
        let byteCount: Int
    }

    /// What goes into one request.
    struct Load: Sendable, Hashable {
        let target: String
        var indexes: [Int]
        var byteCount: Int
    }

    let maximumCount: Int
    let maximumBytes: Int

    /// The requests, each as full as the order lets it be: a message goes into the last request of its target or begins another. One that
    /// is too large for any has a request of its own.
    func loads(of items: [Item]) -> [Load] {
        var loads: [Load] = []
        // But for that of the last of all.
        var lastOfTarget: [String: Int] = [:]
        for item in items {
            // What follows is for the same target most of the time.
            let isForLast = loads.last?.target == item.target
            if let last = isForLast ? loads.count - 1 : lastOfTarget[item.target],
                loads[last].indexes.count < self.maximumCount,
                loads[last].byteCount + item.byteCount <= self.maximumBytes
            {
                loads[last].indexes.append(item.index)
                loads[last].byteCount += item.byteCount
            } else {
                if let last = loads.last, !isForLast { lastOfTarget[last.target] = loads.count - 1 }
                loads.append(Load(target: item.target, indexes: [item.index], byteCount: item.byteCount))
            }
        }
        return loads
    }
}

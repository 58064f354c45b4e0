extension Settlement {
    /// Adds what became of a page's messages.
    mutating func add(_ ticket: PageTicket) {
        let page = ticket.page
        switch page.origin {
        case .log:
            self.through = page
            for exception in ticket.exceptions {
                switch exception.verdict {
                case .deferred(let deferral), .parked(let deferral):
                    self.deferred.append(deferral)
                    if deferral.due == .behindKey { self.touchKey(of: page, exception.row) }
                case .dead(let death):
                    self.dead.append(death)
                case .untouched:
                    break
                }
            }
        case .deferred:
            var exceptions = ticket.exceptions[...]
            for row in 0..<page.count {
                let isOrdered = page.isOrdered(at: row)
                guard let exception = exceptions.first, exception.row == row else {
                    self.deferredDelivered.append(page.id(at: row))
                    if isOrdered { self.touchKey(of: page, row) }
                    continue
                }
                exceptions.removeFirst()
                switch exception.verdict {
                case .deferred(let deferral), .parked(let deferral):
                    self.deferredAgain.append(deferral)
                    if deferral.due == .behindKey { self.touchKey(of: page, row) }
                case .dead(let death):
                    self.deferredDead.append(death)
                    if isOrdered { self.touchKey(of: page, row) }
                case .untouched:
                    break
                }
            }
        }
    }

    /// Adds what became of a message that was parked.
    mutating func add(_ ending: ParkedMessages.Ending) {
        switch ending.verdict {
        case .deferred(let deferral), .parked(let deferral):
            self.deferredAgain.append(deferral)
        case .dead(let death):
            self.deferredDead.append(death)
            if let key = ending.message.key { self.keys.append(key) }
        case nil:
            self.deferredDelivered.append(ending.message.id)
            if let key = ending.message.key { self.keys.append(key) }
        case .untouched:
            break
        }
    }

    private mutating func touchKey(of page: any MessagePage, _ row: Int) {
        if let key = page.text(.key, at: row) { self.keys.append(key) }
    }
}

extension PageTicket {
    /// The keys that were blocked for this page's messages, which the store has deferred now.
    var blockedKeys: [UInt64] { self.exceptions.compactMap(\.blocked) }

    /// The keys of ordered deferred messages that are in the store no more.
    var removedKeys: [UInt64] {
        guard self.page.origin == .deferred else { return [] }
        let kept = Set(
            self.exceptions.compactMap { exception -> Int? in
                if case .dead = exception.verdict { return nil }
                return exception.row
            })
        return (0..<self.page.count).compactMap { row -> UInt64? in
            kept.contains(row) || !self.page.isOrdered(at: row) ? nil : self.page.keyHash(at: row)
        }
    }
}

extension ParkedMessages {
    /// The keys of messages that are in `deferred` no more.
    static func removedKeys(_ endings: [Ending]) -> [UInt64] {
        endings.compactMap { ending in
            switch ending.verdict {
            case .dead, nil: ending.message.keyHash
            case .deferred, .parked, .untouched: nil
            }
        }
    }
}

import DequeModule

/// What has been published on a channel in confirm mode and is not confirmed yet.
///
/// The broker numbers what is published on a channel from 1 on, and confirms by number, one or all up to one. What it returns
/// as unroutable it names by its properties only, before it confirms it, and in the order in which it was published.
struct ConfirmWindow<Entry> {
    /// What became of a message.
    struct Confirmation {
        let entry: Entry
        /// Why it was returned, if it was.
        let returned: String?
    }

    private struct Place {
        var entry: Entry?
        var returned: String?
    }

    /// From the oldest that is not confirmed to the newest; those confirmed in between are empty.
    private var places: Deque<Place> = []
    /// The number of the first place.
    private var firstTag: UInt64 = 1
    /// What is returned next was published with this number or a later one.
    private var nextReturned: UInt64 = 1
    /// How many are not confirmed.
    private(set) var count = 0

    /// A message is published.
    mutating func append(_ entry: Entry) {
        self.places.append(Place(entry: entry))
        self.count += 1
    }

    /// The one that has waited longest.
    var oldest: Entry? { self.places.first?.entry }

    /// The broker has said that a message, or each up to it, is confirmed. Numbers that are not in the window are ignored.
    ///
    /// - Parameter confirmations: Those that it was news for are appended, in the order of their publication.
    mutating func confirm(_ tag: UInt64, isMultiple: Bool, into confirmations: inout [Confirmation]) {
        // All there are, if the number is zero.
        let last = tag == 0 && isMultiple ? self.firstTag &+ UInt64(self.places.count) &- 1 : tag
        guard last >= self.firstTag, last - self.firstTag < UInt64(self.places.count) else { return }
        let end = Int(last - self.firstTag)
        for index in (isMultiple ? 0 : end)...end {
            guard let entry = self.places[index].entry else { continue }
            confirmations.append(Confirmation(entry: entry, returned: self.places[index].returned))
            self.places[index] = Place()
            self.count -= 1
        }
        while let first = self.places.first, first.entry == nil {
            self.places.removeFirst()
            self.firstTag += 1
        }
    }

    /// The broker has returned a message.
    ///
    /// - Parameter matches: Whether it is this one.
    /// - Returns: Whether there is one that it can be.
    mutating func markReturned(_ reason: String, where matches: (Entry) -> Bool) -> Bool {
        let start = Int(max(self.nextReturned, self.firstTag) - self.firstTag)
        for index in self.places.indices.dropFirst(start) {
            guard let entry = self.places[index].entry, matches(entry) else { continue }
            self.places[index].returned = reason
            self.nextReturned = self.firstTag + UInt64(index) + 1
            return true
        }
        return false
    }

    /// The channel is gone, and with it all numbers.
    ///
    /// - Returns: What was not confirmed, in the order of publication.
    mutating func removeAll() -> [Entry] {
        let entries = self.places.compactMap(\.entry)
        self = ConfirmWindow()
        return entries
    }
}

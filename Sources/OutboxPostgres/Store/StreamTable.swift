import Outbox

/// The streams of a session, by their numbers and by their destinations. A destination has one with all slots, or several that share
/// the slots.
struct StreamTable {
    private var states: [StreamID: StreamState] = [:]
    /// The streams of each destination, in the order of their slots.
    private var ids: [Destination: [StreamID]] = [:]
    /// Destinations of which the session has no stream for some slots.
    private var incomplete: Set<Destination> = []
    /// Destinations of which messages came that are not the session's.
    private var unknown: Set<Destination> = []

    /// How many destinations that are not the session's are remembered, and told the server by name.
    private static let mostUnknown = 10_000

    subscript(id: StreamID) -> StreamState? {
        get { self.states[id] }
        _modify { yield &self.states[id] }
    }

    /// The streams of a destination, in the order of their slots.
    subscript(destination: Destination) -> [StreamID] { self.ids[destination] ?? [] }

    var count: Int { self.states.count }
    var all: some Collection<StreamState> { self.states.values }

    /// Adds a stream.
    mutating func add(_ state: StreamState) {
        self.unknown.remove(state.destination)
        self.states[state.id] = state
        let ids = (self[state.destination].filter { $0 != state.id } + [state.id]).sorted { first, second in
            self.low(first) < self.low(second)
        }
        self.set(ids, of: state.destination)
    }

    /// Takes a stream out.
    mutating func remove(_ id: StreamID) {
        guard let state = self.states.removeValue(forKey: id) else { return }
        self.set(self[state.destination].filter { $0 != id }, of: state.destination)
    }

    private mutating func set(_ ids: [StreamID], of destination: Destination) {
        self.ids[destination] = ids.isEmpty ? nil : ids
        if ids.isEmpty || StreamState.coverAllSlots(ids.compactMap { self.states[$0]?.slots }) {
            self.incomplete.remove(destination)
        } else {
            self.incomplete.insert(destination)
        }
    }

    private func low(_ id: StreamID) -> Int { Int(self.states[id]?.slots.lowerBound ?? 0) }

    /// Whether a stream may be read with others: every message of its destination is for a stream of this session, and no payload was
    /// too long for that lately.
    func canBeReadTogether(_ stream: StreamState) -> Bool {
        stream.boundedPages == 0 && (self.incomplete.isEmpty || !self.incomplete.contains(stream.destination))
    }

    /// A message for a destination came.
    mutating func saw(_ destination: Destination) {
        if self.ids[destination] == nil, self.unknown.count < Self.mostUnknown { self.unknown.insert(destination) }
    }

    /// The destinations of what is asked for, or all that are not asked for, whichever are fewer.
    func names(of requests: [ReadRequest]) -> (names: [String], areWanted: Bool) {
        let unwantedCount = self.count - requests.count + self.unknown.count
        if requests.count <= max(unwantedCount, 16) {
            return (requests.compactMap { self[$0.stream]?.destination.name }, true)
        }
        var unwanted = self.unknown.map(\.name)
        if requests.count < self.count {
            let wanted = Set(requests.map(\.stream))
            unwanted += self.ids.lazy.filter { !$0.value.contains(where: wanted.contains) }.map(\.key.name)
        }
        return (unwanted, false)
    }
}

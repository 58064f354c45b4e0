import Outbox

/// The streams of a session, by their numbers and by their destinations.
struct StreamTable {
    private var states: [StreamID: StreamState] = [:]
    /// The stream of each destination; of one that several share, one of them.
    private var ids: [Destination: StreamID] = [:]
    /// Destinations of which messages came that are not the session's.
    private var unknown: Set<Destination> = []

    /// How many destinations that are not the session's are remembered, and told the server by name.
    private static let mostUnknown = 10_000

    subscript(id: StreamID) -> StreamState? {
        get { self.states[id] }
        _modify { yield &self.states[id] }
    }

    subscript(destination: Destination) -> StreamID? { self.ids[destination] }

    var count: Int { self.states.count }
    var all: some Collection<StreamState> { self.states.values }

    /// Adds a stream.
    mutating func add(_ state: StreamState) {
        self.states[state.id] = state
        self.ids[state.destination] = state.id
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
            unwanted += self.all.lazy.filter { !wanted.contains($0.id) }.map(\.destination.name)
        }
        return (unwanted, false)
    }
}

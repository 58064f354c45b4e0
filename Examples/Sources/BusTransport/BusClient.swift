import Synchronization

/// Stands for the library of some messaging system: connects by itself, and has an answer for each message.
final class BusClient: Sendable {
    enum Failure: Error {
        case notConnected
        case refused
        case tooLong
    }

    private let bus: Bus
    private let isClosed = Atomic(false)
    private let connection: Atomic<Int>

    init(_ bus: Bus) {
        self.bus = bus
        connection = Atomic(bus.generation)
    }

    var isConnected: Bool { !isClosed.load(ordering: .acquiring) && bus.isRunning }

    func close() { isClosed.store(true, ordering: .releasing) }

    /// Returns when the bus has confirmed the message. Where the connection has broken, the next call has a new one.
    func publish(_ payload: [UInt8], to topic: String?, key: String?, headers: [String: String]) throws(Failure) {
        let generation = bus.generation
        let wasConnected = connection.exchange(generation, ordering: .acquiringAndReleasing) == generation
        guard isConnected, wasConnected else { throw .notConnected }
        try bus.take(Bus.Record(topic: topic, key: key, headers: headers, payload: payload))
    }
}

/// The other side, in memory.
final class Bus: Sendable {
    struct Record {
        var topic: String?
        var key: String?
        var headers: [String: String]
        var payload: [UInt8]
    }

    private struct State {
        var isRunning = true
        var generation = 0
        var records: [Record] = []
    }

    private let state = Mutex(State())
    let longest = 1 << 20

    var isRunning: Bool {
        get { state.withLock(\.isRunning) }
        set { state.withLock { $0.isRunning = newValue } }
    }

    /// Connections that were made before it changed are broken.
    var generation: Int { state.withLock(\.generation) }

    func cutConnections() { state.withLock { $0.generation += 1 } }

    var records: [Record] { state.withLock(\.records) }

    func take(_ record: Record) throws(BusClient.Failure) {
        if record.topic == "forbidden" { throw .refused }
        if record.payload.count > longest { throw .tooLong }
        let isTaken = state.withLock { state in
            if state.isRunning { state.records.append(record) }
            return state.isRunning
        }
        if !isTaken { throw .notConnected }
    }
}

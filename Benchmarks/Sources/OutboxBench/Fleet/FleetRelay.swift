import Foundation
import Synchronization

/// A relay that runs as ``FleetRelayCommand``, seen from the benchmark.
final class FleetRelay: Sendable {
    private let process: Mutex<Process>
    private let input = Pipe()
    private let output = Pipe()
    private let ended: AsyncStream<Void>

    /// Starts one.
    ///
    /// - Parameter arrivals: Where what it delivers is noted.
    init(_ arguments: [String], on server: BenchServer, arrivals: FleetArrivals) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Self.program)
        process.arguments = ["fleet-relay"] + arguments
        process.environment = ProcessInfo.processInfo.environment.merging(
            [FleetRelayCommand.variable: server.connectionString], uniquingKeysWith: { $1 })
        process.standardInput = self.input
        process.standardOutput = self.output
        let (ended, continuation) = AsyncStream.makeStream(of: Void.self)
        self.ended = ended
        let rest = Mutex<[UInt8]>([])
        self.output.fileHandleForReading.readabilityHandler = { handle in
            let data = handle.availableData
            if data.isEmpty {
                handle.readabilityHandler = nil
                continuation.finish()
                return
            }
            rest.withLock { rest in
                rest += data
                let whole = rest.count / FleetArrival.byteCount * FleetArrival.byteCount
                for start in stride(from: 0, to: whole, by: FleetArrival.byteCount) {
                    arrivals.add(FleetArrival(rest[start..<start + FleetArrival.byteCount]))
                }
                rest.removeFirst(whole)
            }
        }
        try process.run()
        self.process = Mutex(process)
    }

    /// This program.
    private static var program: String {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
    }

    /// Asks it to end in good order.
    func stop() { try? self.input.fileHandleForWriting.close() }

    /// The number of its process.
    var processID: Int { self.process.withLock { Int($0.processIdentifier) } }

    /// Ends it at once.
    func kill() { self.process.withLock { _ = Foundation.kill($0.processIdentifier, SIGKILL) } }

    /// Waits until all that it has written was read.
    func wait() async { for await _ in self.ended {} }
}

/// What the relays of a fleet were given, all together.
final class FleetArrivals: Sendable {
    /// Those that came for the first time.
    let deliveries = Deliveries()
    private let all = Mutex<(times: [Int64: Double], repeats: Int)>(([:], 0))

    func add(_ arrival: FleetArrival) {
        let isNew = self.all.withLock { all in
            if all.times[arrival.id] != nil {
                all.repeats += 1
                return false
            }
            all.times[arrival.id] = arrival.time
            return true
        }
        if isNew { self.deliveries.add() }
    }

    /// How many came again.
    var repeats: Int { self.all.withLock(\.repeats) }

    /// When messages came first, in the order of their ids, which here is that of their commits.
    func times(of ids: Set<Int64>) -> [Double] {
        self.all.withLock { all in all.times.filter { ids.contains($0.key) }.sorted { $0.key < $1.key }.map(\.value) }
    }
}

import ArgumentParser
import BenchmarkReferences
import Foundation
import Outbox
import OutboxPostgres

/// A relay in a process of its own, for ``BenchFleetCommand``: writes what it delivers to stdout, and ends when stdin does.
struct FleetRelayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "fleet-relay", shouldDisplay: false)

    /// The variable with the server's connection string, which may have a password.
    static let variable = "OUTBOX_BENCH_POSTGRES"

    @Option var schema: String
    @Option var destinations: Int
    @Option var streams: Int
    @Option var concurrency: Int
    @Option var pause: Interval

    func run() async throws {
        guard let postgres = ProcessInfo.processInfo.environment[Self.variable] else {
            throw BenchFailure("fleet-relay is run by outbox-bench fleet")
        }
        let pause = self.pause.duration
        var routes = RelayRoutes()
        for number in 1...self.destinations {
            routes[Destination("fleet \(number)")] = .handler(concurrency: self.concurrency) { message in
                let arrival = FleetArrival(id: message.id, time: reference_now())
                if pause > .zero { try await Task.sleep(for: pause) }
                arrival.write()
            }
        }
        let relay = Relay(
            store: PostgresStore(
                postgres: try LibPQConfiguration(postgres), schema: try OutboxSchema(name: self.schema), segments: nil,
                streamsPerDestination: self.streams),
            routes: routes, logger: .quiet)
        // Whatever becomes of the benchmark, this ends with it.
        DispatchQueue(label: "outbox.bench.stdin").async {
            _ = try? FileHandle.standardInput.readToEnd()
            relay.stop()
        }
        try await relay.run()
    }
}

/// A message that a relay of the fleet was given.
struct FleetArrival: Sendable {
    let id: Int64
    /// By `reference_now`, which is the same in all processes.
    let time: Double

    /// Of one on the way to another process.
    static let byteCount = 16

    init(id: Int64, time: Double) { (self.id, self.time) = (id, time) }

    init(_ bytes: some Collection<UInt8>) {
        func number(_ bytes: some Collection<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
        self.id = Int64(bitPattern: number(bytes.prefix(8)))
        self.time = Double(bitPattern: number(bytes.dropFirst(8)))
    }

    /// To stdout, as a whole.
    func write() {
        let bytes = [UInt64(bitPattern: self.id), self.time.bitPattern].flatMap { number in
            (0..<8).map { UInt8(truncatingIfNeeded: number >> (56 - 8 * $0)) }
        }
        FileHandle.standardOutput.write(Data(bytes))
    }
}

// A small service: an HTTP handler enqueues in the transaction that stores an order, and a relay delivers.
//
//     OrderService                 where the server is comes from PGHOST, PGDATABASE, … as for psql
//     OrderService --throwaway     a Postgres of its own, which is gone afterwards
import Foundation
import Logging
import Outbox
import OutboxPostgres
import OutboxTestServers
import ServiceLifecycle

let logger = Logger(label: "order-service") { StreamLogHandler.standardError(label: $0) }

let throwaway = CommandLine.arguments.contains("--throwaway") ? try await EphemeralPostgres.start() : nil
let postgres = try LibPQConfiguration(throwaway?.url ?? "")
let port = ProcessInfo.processInfo.environment["PORT"].flatMap(UInt16.init) ?? 8080

let pool = LibPQConnectionPool(postgres, logger: logger)
let shop = Shop(pool: pool)
try await shop.migrate()

// Services end in the reverse order: first no more requests, then the relay, then the pool.
let group = ServiceGroup(
    services: [
        pool,
        Relay(postgres: postgres, routes: Shop.routes, logger: logger),
        OrderServer(shop: shop, port: port, logger: logger),
    ],
    gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
try await group.run()
await throwaway?.stop()

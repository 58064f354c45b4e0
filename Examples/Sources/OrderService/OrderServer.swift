import FlyingFox
import Foundation
import Logging
import ServiceLifecycle

/// `POST /orders` over HTTP, on the loopback interface.
struct OrderServer: Service {
    let shop: Shop
    let port: UInt16
    let logger: Logger

    func run() async throws {
        let server = HTTPServer(address: try .inet(ip4: "127.0.0.1", port: port), logger: .disabled)
        await server.appendRoute("POST /orders") { request in
            guard let order = try? JSONDecoder().decode(OrderRequest.self, from: try await request.bodyData) else {
                return HTTPResponse(statusCode: .badRequest)
            }
            // What this throws becomes a 500: nothing was stored, and no message is sent.
            let placed = try await shop.place(order)
            return HTTPResponse(
                statusCode: .created, headers: [.contentType: "application/json"],
                body: try JSONEncoder().encode(placed))
        }
        try await withThrowingTaskGroup { group in
            group.addTask { try await server.run() }
            try await server.waitUntilListening()
            if case .ip4(_, let port) = await server.listeningAddress {
                logger.info("Listening", metadata: ["url": "http://127.0.0.1:\(port)"])
            }
            // Requests that have begun are answered; the relay and the pool are still there for them.
            try await gracefulShutdown()
            await server.stop(timeout: 10)
            group.cancelAll()
        }
    }
}

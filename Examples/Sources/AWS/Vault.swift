import Foundation

/// Where this example's application keeps secrets.
protocol Vault: Sendable {
    func lease(_ path: String) async throws -> Lease
}

/// A secret for a while.
struct Lease: Sendable {
    let key: String
    let secret: String
    let token: String?
    let end: Date
}

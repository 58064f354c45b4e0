import Foundation

/// A key that openssl has made, and the file of a service account with it.
struct ServiceAccountKey {
    static let email = "outbox@shop.iam.gserviceaccount.com"

    let privateKey: String
    let publicKey: String

    init() throws {
        self.privateKey = try Self.openssl(["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], "")
        self.publicKey = try Self.openssl(["pkey", "-pubout"], self.privateKey)
    }

    /// The file, as Google's console writes it.
    func file(tokenURL: String, _ changes: [String: String] = [:]) throws -> String {
        let members = [
            "type": "service_account", "project_id": "shop", "private_key_id": "key-1", "private_key": self.privateKey,
            "client_email": Self.email, "client_id": "1", "token_uri": tokenURL,
        ].merging(changes) { $1 }
        return String(decoding: try JSONSerialization.data(withJSONObject: members), as: UTF8.self)
    }

    /// Lets the server verify what is signed by it.
    func trust(_ server: PubSubServer) async throws {
        try await server.send("key", ["name": Self.email, "value": self.publicKey])
    }

    private static func openssl(_ arguments: [String], _ text: String) throws -> String {
        let process = Process()
        let (input, output) = (Pipe(), Pipe())
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["openssl"] + arguments
        process.standardInput = input
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        try input.fileHandleForWriting.write(contentsOf: Data(text.utf8))
        try input.fileHandleForWriting.close()
        let result = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(decoding: result, as: UTF8.self)
    }
}

import ArgumentParser
import Outbox
import OutboxPostgres

/// Which subscription is meant.
struct SubscriptionOption: ParsableArguments {
    @Option(
        name: .customLong("subscription"),
        help: ArgumentHelp(
            "The name under which the cursors are kept. (default: \(RelaySettings.defaults.subscription))",
            valueName: "name"))
    var given: String?

    /// The subscription: that of the option, of the environment, of the file, or the usual one.
    ///
    /// - Throws: A ``ConfigurationFile/Failure``.
    func name(_ server: ServerOptions) throws -> String {
        if let given { return given }
        return try server.layer.relay.subscription ?? RelaySettings.defaults.subscription
    }

    /// Where nothing was found of it, whether there is such a subscription: one that is misspelt would look as if all were well. The usual one need
    /// not be there yet.
    ///
    /// - Throws: ``OutboxError/Code/subscriptionMissing``.
    func refuseUnknown(_ server: ServerOptions, on connection: LibPQConnection) async throws {
        let name = try self.name(server)
        if name == RelaySettings.defaults.subscription { return }
        _ = try await OutboxSubscriptions(schema: try server.schema).subscription(
            named: name, countLimit: 1, on: connection)
    }
}

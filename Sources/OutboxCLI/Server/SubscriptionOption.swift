import ArgumentParser
import Outbox

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
}

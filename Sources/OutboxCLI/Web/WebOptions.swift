import ArgumentParser
import Foundation
import OutboxRuntime

/// What the page shows and lets be done: the options of `outbox web`, and of a relay that listens.
struct WebOptions: ParsableArguments {
    @Flag(
        help: """
            Let the page pause, resume and rewind, and replay, retry and discard messages. Each change is logged with who made it.
            """)
    var allowChanges = false

    @Flag(help: "Let the page show what is in messages.")
    var showPayloads = false

    @Option(
        help: ArgumentHelp(
            """
            A file with the password of the page, at least 12 characters; the name given beside it is any, and is in the log of changes. \
            A program gives it as a bearer token. Default: OUTBOX_WEB_PASSWORD, and else none, for this machine alone.
            """, valueName: "file"))
    var webPasswordFile: String?

    /// The settings, over those of a layer.
    ///
    /// - Throws: A ``CommandFailure`` where the password cannot be read, or is none.
    func settings(_ layer: WebLayer, environment: [String: String]) throws -> WebSettings {
        var settings = WebSettings()
        settings.allowsChanges = self.allowChanges || layer.allowChanges == true
        settings.showsPayloads = self.showPayloads || layer.showPayloads == true
        if let file = self.webPasswordFile ?? layer.passwordFile {
            do throws(SecretFile.Failure) {
                settings.password = try SecretFile.text(file)
            } catch {
                throw CommandFailure(.usage, "the password of the page: \(error.reason)")
            }
        } else if let password = environment["OUTBOX_WEB_PASSWORD"], !password.isEmpty {
            settings.password = password
        }
        if let password = settings.password, password.count < WebAccess.shortestPassword {
            throw CommandFailure(
                .usage,
                "the password of the page has fewer than \(WebAccess.shortestPassword) characters: it can be guessed")
        }
        return settings
    }
}

/// What a configuration file and the environment say of the page.
struct WebLayer: Sendable {
    var allowChanges: Bool?
    var showPayloads: Bool?
    var passwordFile: String?

    static let settings: [Setting<WebLayer>] = [
        .flag(
            "allow_changes",
            "Whether the web page can change messages and streams: pause, rewind, replay, retry, discard. Default: false.",
            \.allowChanges),
        .flag("show_payloads", "Whether the web page shows what is in messages. Default: false.", \.showPayloads),
        .text(
            "web_password_file",
            "A file with the password of the web page, at least 12 characters. Default: none; the page is for this machine alone then.",
            \.passwordFile),
    ]
}

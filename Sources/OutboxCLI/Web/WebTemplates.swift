import Mustache

/// The templates of the page, and the files beside them.
struct WebTemplates: Sendable {
    private let library: MustacheLibrary

    init() {
        MustacheContentTypes.register(EscapedHTML(), named: EscapedHTML.name)
        var library = MustacheLibrary()
        for (name, bytes) in Self.sources {
            // In each, since a template that is part of another one does not take over its way to escape.
            let text = "{{% CONTENT_TYPE:\(EscapedHTML.name)}}\n" + String(decoding: bytes, as: UTF8.self)
            do {
                try library.register(text, named: name)
            } catch {
                preconditionFailure("The template “\(name)” is none: \(error)")
            }
        }
        self.library = library
    }

    /// The text of a template, filled in.
    func text(_ name: String, _ values: [String: Any]) -> String {
        guard let text = self.library.render(values, withTemplate: name) else {
            preconditionFailure("There is no template “\(name)”.")
        }
        return text
    }

    /// The names of all templates.
    static var names: [String] { self.sources.map(\.name) }

    private static var sources: [(name: String, bytes: [UInt8])] {
        [
            ("layout", PackageResources.layout_mustache), ("overview", PackageResources.overview_mustache),
            ("overview_live", PackageResources.overview_live_mustache), ("pager", PackageResources.pager_mustache),
            ("destination", PackageResources.destination_mustache), ("messages", PackageResources.messages_mustache),
            ("message", PackageResources.message_mustache), ("confirm", PackageResources.confirm_mustache),
            ("relays", PackageResources.relays_mustache), ("doctor", PackageResources.doctor_mustache),
            ("schema", PackageResources.schema_mustache), ("refusal", PackageResources.refusal_mustache),
        ]
    }

    /// A file that pages refer to; nil: there is none.
    static func file(_ path: String) -> (type: String, bytes: [UInt8])? {
        switch path {
        case "/outbox.css": ("text/css; charset=utf-8", PackageResources.outbox_css)
        case "/outbox.js": ("text/javascript; charset=utf-8", PackageResources.outbox_js)
        case "/outbox.svg": ("image/svg+xml", PackageResources.outbox_svg)
        default: nil
        }
    }
}

/// Text that is shown, and nothing else, whatever is in it.
///
/// Mustache's own looks at characters as people see them: a quotation mark with an accent on it is none there, but ends an attribute in a
/// browser.
struct EscapedHTML: MustacheContentType {
    static let name = "ESCAPED_HTML"

    func escapeText(_ text: String) -> String {
        var result = ""
        result.reserveCapacity(text.utf8.count)
        for scalar in text.unicodeScalars {
            switch scalar {
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "&": result += "&amp;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            case "`": result += "&#96;"
            // No document can have it.
            case "\0": result += "\u{FFFD}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}

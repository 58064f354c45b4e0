import Outbox
import OutboxPostgres
import OutboxRuntime

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// One message that was not delivered, with its headers, and its payload where that may be shown.
struct MessageView<Failed: WebMessage> {
    let message: Failed
    let settings: WebSettings
    /// How the payload is asked for; nil: as it reads best.
    let form: PayloadText.Form?

    var values: [String: Any] {
        let headers = self.headers
        var values: [String: Any] = [
            "id": String(self.message.id), "fields": self.fields(headers),
            "size": "\(self.message.payloadSize.grouped) \(self.message.payloadSize == 1 ? "byte" : "bytes")",
            "canChange": self.settings.allowsChanges, "buttons": Failed.buttons,
        ]
        if let headers, !headers.isEmpty {
            values["headers"] = [
                "all": headers.map { header -> [String: Any] in
                    ["name": header.name.plain(100), "value": header.value.plain(2000)]
                }
            ]
        } else {
            values["headersText"] = headers == nil ? (self.message.headersJSON ?? "").plain(2000) : "none"
        }
        if !self.settings.showsPayloads {
            values["payloadHidden"] =
                "Payloads are hidden: --show-payloads, or show_payloads in the configuration, shows them."
        } else if let payload = self.message.payload, !payload.isEmpty {
            values["payload"] = self.payload(payload)
        }
        return values
    }

    private func payload(_ payload: [UInt8]) -> [String: Any] {
        let text = PayloadText(payload, size: self.message.payloadSize)
        let form = self.form.flatMap { text.forms.contains($0) ? $0 : nil } ?? text.forms[0]
        var values: [String: Any] = [
            "text": text.shown(as: form),
            "views": text.forms.map { other -> [String: Any] in
                [
                    "name": other.title, "href": "\(Failed.places.one)?id=\(self.message.id)&as=\(other.rawValue)",
                    "isCurrent": other == form,
                ]
            },
        ]
        if self.message.payloadSize > PayloadText.most {
            values["cut"] =
                "These are the first \(PayloadText.most.grouped) bytes; outbox \(Failed.command) show has all."
        }
        return values
    }

    private func fields(_ headers: [(name: String, value: String)]?) -> [[String: Any]] {
        var destination = FormFields()
        destination.add("name", self.message.destination.name)
        func field(_ name: String, _ value: String) -> [String: Any] { ["name": name, "value": value.plain(2000)] }
        var fields: [[String: Any]] = [
            field("id", String(self.message.id)), field("subscription", self.message.subscription),
            field("destination", self.message.destination.name).merging([
                "href": "destination?\(destination.text)"
            ]) { $1 },
            field("route", self.message.route ?? "–"), field("key", self.message.key ?? "–"),
            field("created at", RFC3339.text(self.message.createdAt)),
            field("attempts", String(self.message.attempts)), field("error", self.message.error ?? "–"),
        ]
        for detail in self.message.details {
            fields.append(field("\(detail.name)".split(separator: "_").joined(separator: " "), detail.shown))
        }
        if let trace = Self.traceID(headers ?? []) { fields.append(field("trace id", trace)) }
        return fields
    }

    /// The members of the headers, by name; nil: they are no object of texts.
    private var headers: [(name: String, value: String)]? {
        guard let json = self.message.headersJSON else { return [] }
        guard let object = try? JSONDecoder().decode([String: String].self, from: Data(json.utf8)) else { return nil }
        return object.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// The trace's number of a header `traceparent` (W3C Trace Context).
    private static func traceID(_ headers: [(name: String, value: String)]) -> String? {
        let value = headers.first { $0.name.lowercased() == "traceparent" }?.value
        let parts = value?.split(separator: "-") ?? []
        return parts.count >= 4 && parts[1].count == 32 ? String(parts[1]) : nil
    }
}

import Outbox

extension MessageTemplate {
    /// Whether it has a place for the message’s id, by which two messages differ; `{{id}}` is the word in braces.
    var hasID: Bool {
        // As the template is read: two braces in a row are one, the next one ends a place.
        var rest = self.text.unicodeScalars[...]
        while let character = rest.popFirst() {
            if character != "{" { continue }
            if rest.first == "{" {
                rest.removeFirst()
                continue
            }
            let place = rest.prefix { $0 != "}" }
            if String(place.prefix { $0 != "|" }) == "id" { return true }
            rest = rest[place.endIndex...].dropFirst()
        }
        return false
    }
}

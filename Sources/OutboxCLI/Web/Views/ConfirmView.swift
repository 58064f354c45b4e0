import OutboxPostgres
import OutboxRuntime

/// What a change would do, before it is done.
struct ConfirmView {
    let change: WebChange
    /// How many messages it is about; nil: a destination as a whole.
    let count: OutboxStatus.Count?
    let token: String
    /// Which outbox it is; see ``WebOutbox/mark(of:)``.
    let outbox: String

    var values: [String: Any] {
        var values: [String: Any] = [
            "question": self.question, "consequence": self.consequence, "token": self.token,
            "button": self.change.kind.verb, "isFinal": self.change.kind.isFinal,
            "isPossible": self.count.map { $0.value > 0 } ?? true, "place": self.change.place,
            "changeFields": self.fields.fields.map { field -> [String: Any] in
                ["name": field.name, "value": field.value]
            },
        ]
        let conditions = self.change.query.filterFields.fields
        if !conditions.isEmpty, self.change.ids.isEmpty {
            values["conditions"] = [
                "all": conditions.map { field -> [String: Any] in
                    ["name": Self.names[field.name] ?? field.name, "value": field.value.plain(500)]
                }
            ]
        }
        return values
    }

    /// What the form has in it: what is meant, of which outbox, and how much was shown.
    private var fields: FormFields {
        var fields = self.change.fields
        fields.add("outbox", self.outbox)
        if self.change.kind.isOfMessages { fields.add("expected", self.count.map { String($0.value) }) }
        return fields
    }

    private static let names = ["error": "error has", "older": "for longer than", "newer": "for less than"]

    private var question: String {
        let name = self.change.destination.plain(200)
        switch self.change.kind {
        case .pause: return "Pause “\(name)”?"
        case .resume: return "Resume “\(name)”?"
        case .rewind:
            guard let count, count.value > 0 else {
                return
                    "“\(name)” would stay where it is: nothing was delivered from there on, or the log has not kept it."
            }
            return "Deliver \(count.messages) of “\(name)” again?"
        case .replay, .retry, .discardDead, .discardDeferred:
            let noun = self.change.kind.isOfDeferred ? "deferred message" : "dead letter"
            guard let count, count.value > 0 else { return "There is none: nothing would be changed." }
            return "\(self.change.kind.verb) \(count.value.grouped) \(noun)\(count.value == 1 ? "" : "s")?"
        }
    }

    private var consequence: String {
        switch self.change.kind {
        case .pause:
            "Its messages wait in the log, which grows; what was to be tried again waits too. What a relay has read already is still delivered."
        case .resume: "It goes on where it was paused."
        case .rewind:
            "What was delivered from there on comes again, with the same ids. Nothing that was not delivered is left out."
        case .replay:
            "They are tried at once, with all their attempts before them, and without regard to the order of their keys."
        case .retry:
            "They are tried at once. What waits behind another message of its key goes on waiting for that one."
        case .discardDead: "They are deleted for good."
        case .discardDeferred: "They are deleted for good. What a relay has read already is still delivered."
        }
    }
}

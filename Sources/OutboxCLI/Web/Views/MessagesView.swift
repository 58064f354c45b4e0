import Outbox
import OutboxPostgres
import OutboxRuntime

/// Messages that were not delivered: dead letters or deferred ones, a page of them.
struct MessagesView<Failed: WebMessage> {
    let query: FailureQuery
    /// One more than a page has, where another follows.
    let messages: [Failed]
    /// How many match; nil: it took too long to count.
    let count: Int?
    let canChange: Bool

    var values: [String: Any] {
        let shown = self.messages.prefix(FailureQuery.pageSize)
        var values: [String: Any] = [
            "action": Failed.places.all, "oneAction": Failed.places.one, "destination": self.query.destination ?? "",
            "error": self.query.error ?? "", "older": self.query.olderThan?.text ?? "",
            "newer": self.query.newerThan?.text ?? "", "isFiltered": !self.query.isEverything,
            "hasReasons": !Failed.reasons.isEmpty,
            "reasons": Failed.reasons.map { reason -> [String: Any] in
                ["name": reason.rawValue, "isSelected": reason == self.query.reason]
            },
            "isEmpty": shown.isEmpty,
            "empty": self.query.page > 0
                ? "There are no further ones."
                : self.query.isEverything
                    ? "There are no \(Failed.plural)." : "There are none to which all of this applies.",
            "caption": self.count.map { "\($0.grouped) \(Failed.plural)" } ?? Failed.plural,
            "columns": Failed.columns.map { $0.0.prefix(1) + $0.0.dropFirst().lowercased() }.map(String.init),
            "rows": shown.map(self.row), "canChange": self.canChange,
            "filterFields": self.query.filterFields.fields.map { field -> [String: Any] in
                ["name": field.name, "value": field.value]
            },
            "buttons": Failed.buttons,
        ]
        let pager = Pager(
            page: self.query.page, size: FailureQuery.pageSize, count: self.count,
            hasMore: self.messages.count > FailureQuery.pageSize)
        values["pager"] = pager.values { page in
            var fields = self.query.filterFields
            if page > 0 { fields.add("page", String(page)) }
            return "\(Failed.places.all)?\(fields.text)"
        }
        return values
    }

    private func row(_ message: Failed) -> [String: Any] {
        [
            "id": String(message.id), "href": "\(Failed.places.one)?id=\(message.id)",
            "destination": message.destination.name.plain(40), "route": (message.route ?? "–").plain(40),
            "key": (message.key ?? "–").plain(40), "attempts": String(message.attempts), "cells": message.cells,
            "error": (message.error ?? "–").plain(200),
        ]
    }
}

extension WebMessage {
    /// What can be done with them, as a template shows it.
    static var buttons: [[String: Any]] {
        Self.changes.map { ["value": $0.rawValue, "verb": $0.verb, "isFinal": $0.isFinal] }
    }
}

import Outbox

extension NewMessage {
    /// Refuses a message with a time that Postgres does not have.
    func checkDeliverAt() throws(InvalidMessage) {
        guard let deliverAt = self.deliverAt, !PostgresTime.contains(deliverAt) else { return }
        throw InvalidMessage(field: "deliverAt", reason: "is before 4714 BC or after 294276")
    }
}

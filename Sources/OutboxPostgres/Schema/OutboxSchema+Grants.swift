extension OutboxSchema {
    /// SQL that lets roles use the outbox, to be run by its owner.
    ///
    /// A producer can enqueue, with the functions, with `INSERT` and with `COPY`, and see the numbers of messages, which
    /// `RETURNING id` needs. It can read nothing else, change nothing, and choose neither a message's number nor its
    /// transaction nor its time. A relay can deliver, inspect, replay, discard, pause, resume and rewind; it can neither
    /// write to the log nor change the schema, and remove from the log only segments that every stream has passed. A
    /// monitor can read the views `pending` and `lag` and what ``OutboxInspector/status(subscription:since:countLimit:on:)``
    /// counts, and when, why and with which error messages were deferred or died, and change nothing; of messages it sees neither
    /// payload nor headers. A role can be all of them.
    ///
    /// A producer sees idempotency keys, those of other producers too, and could end their windows: they are no secrets.
    ///
    /// First it revokes what a restore without privileges (`pg_restore --no-acl`) leaves open to every role: the functions that
    /// work with their owner's rights.
    ///
    /// - Parameters:
    ///   - producer: The role of an application that enqueues; nil: none.
    ///   - relay: The role of a relay or an operator; nil: none.
    ///   - monitor: The role of a dashboard, or of `outbox status`; nil: none.
    public func grants(producer: String? = nil, relay: String? = nil, monitor: String? = nil) -> String {
        let closed = Grant.closed.map { $0.name(in: self) }.joined(separator: ", ")
        let revoke = "REVOKE ALL ON FUNCTION \(closed) FROM PUBLIC;\n"
        return [(producer, Grant.producer), (relay, Grant.relay), (monitor, Grant.monitor)]
            .reduce(into: revoke) { sql, part in
                guard let role = part.0 else { return }
                let quoted = SQLIdentifier(role).quoted
                for grant in part.1 { sql += grant.statement(to: quoted, in: self) + "\n" }
            }
    }
}

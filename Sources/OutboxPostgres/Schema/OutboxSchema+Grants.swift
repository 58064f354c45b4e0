extension OutboxSchema {
    /// SQL that lets roles use the outbox, to be run by its owner.
    ///
    /// A producer can enqueue, with the functions, with `INSERT` and with `COPY`, and see the numbers of messages, which
    /// `RETURNING id` needs. It can read nothing else, change nothing, and choose neither a message's number nor its
    /// transaction nor its time. A relay can deliver, inspect, replay, discard, pause, resume and rewind; it can neither
    /// write to the log nor change the schema, and remove from the log only segments that every stream has passed. A
    /// monitor can read the views `pending` and `lag`, which show neither payload nor headers, and nothing else. A role
    /// can be all of them.
    ///
    /// A producer sees idempotency keys, those of other producers too, and could end their windows: they are no secrets.
    ///
    /// - Parameters:
    ///   - producer: The role of an application that enqueues; nil: none.
    ///   - relay: The role of a relay or an operator; nil: none.
    ///   - monitor: The role of whoever watches; nil: none.
    public func grants(producer: String? = nil, relay: String? = nil, monitor: String? = nil) -> String {
        var script = ""
        if let producer { script += self.producerGrants(SQLIdentifier(producer).quoted) }
        if let relay { script += self.relayGrants(SQLIdentifier(relay).quoted) }
        if let monitor { script += self.monitorGrants(SQLIdentifier(monitor).quoted) }
        return script
    }

    private func producerGrants(_ role: String) -> String {
        // SELECT on the sequence, not USAGE: both let a default read it, but with USAGE a role could advance it.
        """
        GRANT USAGE ON SCHEMA \(self.identifier) TO \(role);
        GRANT INSERT (segment, deliver_at, destination, route, key, headers, options, payload), SELECT (id)
            ON \(self.identifier).message TO \(role);
        GRANT SELECT ON SEQUENCE \(self.identifier).segment_number TO \(role);
        GRANT SELECT, INSERT (destination, key, expires_at), UPDATE (message_id, expires_at)
            ON \(self.identifier).idempotency TO \(role);
        GRANT EXECUTE ON FUNCTION
            \(self.identifier).enqueue(text, bytea, text, text, jsonb, timestamptz, jsonb, text, interval),
            \(self.identifier).enqueue(text, text, text, text, jsonb, timestamptz, jsonb, text, interval),
            \(self.identifier).enqueue(text, jsonb, text, text, jsonb, timestamptz, jsonb, text, interval)
            TO \(role);

        """
    }

    private func relayGrants(_ role: String) -> String {
        // UPDATE (expires_at): who locks rows to remove them has to be allowed to update them.
        """
        GRANT USAGE ON SCHEMA \(self.identifier) TO \(role);
        GRANT SELECT ON \(self.identifier).message, \(self.identifier).migration TO \(role);
        GRANT SELECT, INSERT, UPDATE ON \(self.identifier).stream TO \(role);
        GRANT SELECT, INSERT, UPDATE, DELETE ON \(self.identifier).deferred TO \(role);
        GRANT SELECT, INSERT, DELETE ON \(self.identifier).dead_letter TO \(role);
        GRANT SELECT, DELETE, UPDATE (expires_at) ON \(self.identifier).idempotency TO \(role);
        GRANT SELECT, UPDATE ON \(self.identifier).segment TO \(role);
        GRANT SELECT, UPDATE ON SEQUENCE \(self.identifier).segment_number TO \(role);
        GRANT EXECUTE ON FUNCTION \(self.identifier).truncate_segment(smallint) TO \(role);

        """
    }

    private func monitorGrants(_ role: String) -> String {
        // Who reads a view has to be allowed to call what it calls.
        """
        GRANT USAGE ON SCHEMA \(self.identifier) TO \(role);
        GRANT SELECT ON \(self.identifier).pending, \(self.identifier).lag TO \(role);
        GRANT EXECUTE ON FUNCTION \(self.identifier).stream_lag() TO \(role);

        """
    }
}

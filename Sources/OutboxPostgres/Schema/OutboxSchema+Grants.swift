extension OutboxSchema {
    /// SQL that lets roles use the outbox, to be run by its owner.
    ///
    /// A producer can enqueue, with the functions, with `INSERT` and with `COPY`, and see the numbers of messages, which
    /// `RETURNING id` needs. It can read nothing else, change nothing, and choose neither a message's number nor its
    /// transaction nor its time. A relay can deliver, inspect, replay, discard, pause, resume and rewind; it can
    /// neither write to the log nor change the schema, and remove from the log only segments that every stream has passed. A
    /// role can be both.
    ///
    /// - Parameters:
    ///   - producer: The role of an application that enqueues; nil: none.
    ///   - relay: The role of a relay or an operator; nil: none.
    public func grants(producer: String? = nil, relay: String? = nil) -> String {
        var script = ""
        if let producer { script += self.producerGrants(SQLIdentifier(producer).quoted) }
        if let relay { script += self.relayGrants(SQLIdentifier(relay).quoted) }
        return script
    }

    private func producerGrants(_ role: String) -> String {
        // SELECT on the sequence, not USAGE: both let a default read it, but with USAGE a role could advance it.
        """
        GRANT USAGE ON SCHEMA \(self.identifier) TO \(role);
        GRANT INSERT (segment, deliver_at, destination, route, key, headers, options, payload), SELECT (id)
            ON \(self.identifier).message TO \(role);
        GRANT SELECT ON SEQUENCE \(self.identifier).segment_number TO \(role);
        GRANT EXECUTE ON FUNCTION
            \(self.identifier).enqueue(text, bytea, text, text, jsonb, timestamptz, jsonb),
            \(self.identifier).enqueue(text, text, text, text, jsonb, timestamptz, jsonb),
            \(self.identifier).enqueue(text, jsonb, text, text, jsonb, timestamptz, jsonb)
            TO \(role);

        """
    }

    private func relayGrants(_ role: String) -> String {
        """
        GRANT USAGE ON SCHEMA \(self.identifier) TO \(role);
        GRANT SELECT ON \(self.identifier).message, \(self.identifier).migration TO \(role);
        GRANT SELECT, INSERT, UPDATE ON \(self.identifier).stream TO \(role);
        GRANT SELECT, INSERT, UPDATE, DELETE ON \(self.identifier).deferred TO \(role);
        GRANT SELECT, INSERT, DELETE ON \(self.identifier).dead_letter TO \(role);
        GRANT SELECT, UPDATE ON \(self.identifier).segment TO \(role);
        GRANT SELECT, UPDATE ON SEQUENCE \(self.identifier).segment_number TO \(role);
        GRANT EXECUTE ON FUNCTION \(self.identifier).truncate_segment(smallint) TO \(role);

        """
    }
}

import OutboxPostgres

extension BenchOutbox {
    /// What sessions that have ended have written so far.
    struct Written: Sendable {
        /// Rows of this schema's tables: inserted, updated and deleted.
        let rows: Int
        /// Of these, those that leave a dead one: updated and deleted.
        let changedRows: Int
        /// Of the whole server, in bytes.
        let log: Int

        static func - (end: Written, begin: Written) -> Written {
            Written(
                rows: end.rows - begin.rows, changedRows: end.changedRows - begin.changedRows, log: end.log - begin.log)
        }
    }

    /// What sessions that have ended have written so far.
    func written() async throws -> Written {
        // What a session has done is counted at its end at the latest, before it leaves the activities.
        try await self.execute(
            """
            DO $wait$
            BEGIN
                WHILE EXISTS (
                    SELECT FROM pg_stat_activity
                    WHERE application_name = '\(self.schema.name)' AND pid <> pg_backend_pid()
                ) LOOP
                    PERFORM pg_sleep(0.01), pg_stat_clear_snapshot();
                END LOOP;
            END
            $wait$
            """)
        let result = try await self.query(
            """
            SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint,
                coalesce(sum(n_tup_upd + n_tup_del), 0)::bigint, (pg_current_wal_insert_lsn() - '0/0')::bigint
            FROM pg_stat_user_tables
            WHERE schemaname = '\(self.schema.name)'
            """)
        let row = result[0]
        return Written(
            rows: Int(try row.decode(0, as: Int64.self)), changedRows: Int(try row.decode(1, as: Int64.self)),
            log: Int(try row.decode(2, as: Int64.self)))
    }
}

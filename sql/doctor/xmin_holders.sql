-- What keeps vacuum from removing dead rows, here or on a standby that reports what it needs, the oldest first: its kind, its name,
-- for how many transactions and, where that is known, for how long. Of sessions of other roles, one that may not read all
-- statistics sees no times.
SELECT held.kind, held.name, held.transactions, (extract(epoch FROM now() - held.since) * 1000000)::bigint AS microseconds
FROM (
    SELECT
        CASE
            WHEN activity.backend_type = 'walsender' THEN 'standby'
            WHEN activity.state LIKE 'idle in transaction%' THEN 'idle transaction'
            ELSE 'transaction'
        END AS kind,
        'server process ' || activity.pid || coalesce(' (' || nullif(activity.application_name, '') || ')', '') AS name,
        greatest(age(activity.backend_xmin), age(activity.backend_xid)) AS transactions,
        activity.xact_start AS since
    FROM pg_stat_activity AS activity
    WHERE activity.pid <> pg_backend_pid() AND coalesce(activity.backend_xmin, activity.backend_xid) IS NOT NULL
        AND (activity.datname = current_database() OR activity.backend_type = 'walsender')
        -- A vacuum holds nothing up, and an autovacuum gives way.
        AND activity.backend_type <> 'autovacuum worker'
    UNION ALL
    SELECT 'prepared transaction', quote_literal(gid), age(transaction), prepared
    FROM pg_prepared_xacts
    WHERE database = current_database()
    UNION ALL
    SELECT
        CASE WHEN active THEN 'replication slot' ELSE 'replication slot without a reader' END, slot_name::text,
        greatest(age(xmin), age(catalog_xmin)), NULL
    FROM pg_replication_slots
    WHERE coalesce(xmin, catalog_xmin) IS NOT NULL AND (database IS NULL OR database = current_database())
) AS held
ORDER BY held.transactions DESC
LIMIT 20

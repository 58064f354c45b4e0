-- Sessions and prepared transactions that keep what a relay writes locked, the oldest first, as a text each that says which, whose, for
-- how long, and how to end it. Of sessions of other roles, one that may not read all statistics sees no times and no states. What
-- a session runs is not shown: there may be data in it.
SELECT
    CASE
        WHEN holder.pid IS NULL THEN 'a prepared transaction (pg_prepared_xacts has its name; COMMIT PREPARED or ROLLBACK PREPARED)'
        ELSE format(
            'server process %s%s%s%s (SELECT pg_terminate_backend(%s) ends it)',
            holder.pid,
            ' of ' || activity.usename,
            ' (' || nullif(activity.application_name, '') || ')',
            ', ' || activity.state
                || coalesce(', for ' || ceil(extract(epoch FROM clock_timestamp() - activity.xact_start))::bigint || ' s', ''),
            holder.pid)
    END AS seen
FROM (
    SELECT DISTINCT pg_locks.pid
    FROM pg_locks
    WHERE pg_locks.locktype = 'relation' AND pg_locks.granted AND pg_locks.pid IS DISTINCT FROM pg_backend_pid()
        AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND (
            pg_locks.relation IN (
                to_regclass('{{schema_text}}.stream'), to_regclass('{{schema_text}}.deferred'),
                to_regclass('{{schema_text}}.dead_letter')
            ) AND pg_locks.mode NOT IN ('AccessShareLock', 'ShareUpdateExclusiveLock')
            OR pg_locks.relation = to_regclass('{{schema_text}}.message')
                AND pg_locks.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
        )
) AS holder
LEFT JOIN pg_stat_activity AS activity ON activity.pid = holder.pid
ORDER BY activity.xact_start NULLS LAST, holder.pid
LIMIT 5

-- Who keeps a stream. $1 the log's oid, $2 the stream.
SELECT pg_locks.pid, coalesce(activity.application_name, '') AS application
FROM pg_locks
LEFT JOIN pg_stat_activity AS activity ON activity.pid = pg_locks.pid
WHERE pg_locks.locktype = 'advisory' AND pg_locks.granted AND pg_locks.objsubid = 2 AND pg_locks.pid <> pg_backend_pid()
    AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND pg_locks.classid = $1::bigint::oid AND pg_locks.objid = $2::bigint::oid

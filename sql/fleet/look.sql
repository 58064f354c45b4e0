-- The sessions that hold locks of a log, or wait for some: which streams they own, and whether they are the keeper (-1); which streams they wait
-- for, as an administrator does who splits or merges them; what they say that they have routes for; whether they are relays of a
-- subscription, or of any. Producers, who share the bell, are left out. A relay that shares streams looks here
-- all the time, so one that has been silent for longer, with nothing that the server is doing for it, is stopped, or cannot be
-- reached; as far as this session's role may see that. Any role that can connect can take any advisory lock, so none
-- counts as a relay that may not move a cursor. Asking how full the queue of notifications is makes the server forget those that
-- all sessions have taken; once it is full, nothing else does. $1 the log's oid, $2 the lock of the subscription's relays, $3 for how many
-- seconds.
SELECT
    holder.pid, holder.pid = pg_backend_pid() AS is_own, holder.owned, holder.waits, holder.routes,
    holder.is_member AND holder.may_move AS is_member, holder.is_relay AND holder.may_move AS is_relay,
    coalesce(
        activity.state_change < clock_timestamp() - $3 * interval '1 second'
            AND (activity.state <> 'active' OR activity.wait_event = 'ClientWrite'),
        false) AS is_silent,
    coalesce(pg_get_userbyid(activity.usesysid)::text, '') AS role, coalesce(activity.application_name, '') AS application,
    (SELECT pg_notification_queue_usage()) AS queue_usage
FROM (
    SELECT
        lock.pid,
        coalesce(
            string_agg(lock.number::text, ',') FILTER (WHERE lock.granted AND lock.mode = 'ExclusiveLock' AND lock.number >= -1), '')
            AS owned,
        coalesce(
            string_agg(lock.number::text, ',') FILTER (WHERE NOT lock.granted AND lock.mode = 'ExclusiveLock' AND lock.number > 0), '')
            AS waits,
        coalesce(
            string_agg(lock.number::text, ',') FILTER (
                WHERE lock.granted AND lock.mode = 'ShareLock' AND lock.number BETWEEN -1073741825 AND -2), '') AS routes,
        bool_or(lock.granted AND lock.mode = 'ShareLock' AND lock.number = $2) AS is_member,
        bool_or(
            lock.granted AND lock.mode = 'ShareLock'
            AND (lock.number = -2147483647 OR lock.number BETWEEN -1610612737 AND -1073741826)
        ) AS is_relay,
        coalesce(
            (
                SELECT has_table_privilege(session.usesysid, '{{schema_text}}.stream', 'UPDATE')
                FROM pg_stat_get_activity(lock.pid) AS session
            ),
            true) AS may_move
    FROM (
        SELECT pid, mode, granted, objid::bigint - CASE WHEN objid::bigint > 2147483647 THEN 4294967296 ELSE 0 END AS number
        FROM pg_locks
        WHERE locktype = 'advisory' AND objsubid = 2 AND objid <> 0 AND pid IS NOT NULL
            AND classid = $1::bigint::oid AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    ) AS lock
    GROUP BY lock.pid
) AS holder
LEFT JOIN LATERAL pg_stat_get_activity(holder.pid) AS activity ON true

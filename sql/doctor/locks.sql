-- Advisory locks of the outbox that are held by sessions which are no relays, or in a way that relays do not hold them: the session, and
-- what it keeps from working. Any role that can connect can take any advisory lock. The keys are those of streams (positive, and so the
-- lowest here), of the keeper (-1, the highest), of routes, of the relays of a subscription, of truncate_segment and, 0, of the bell.
SELECT
    format(
        'server process %s%s%s holds %s', held.pid, ' of ' || activity.usename, ' (' || nullif(activity.application_name, '') || ')',
        held.what) AS seen,
    format('If it is not to: SELECT pg_terminate_backend(%s)', held.pid) AS mend, held.is_error
FROM (
    SELECT
        lock.pid,
        CASE
            WHEN lock.objid::bigint BETWEEN 1 AND 2147483647 AND NOT is_relay
                THEN format('the lock of stream %s, and is no relay: nothing of the stream is delivered', lock.objid)
            WHEN lock.objid::bigint = 4294967295 AND NOT is_relay
                THEN 'the lock of the relay that takes the doorbell, and is no relay: relays never sleep'
            WHEN lock.objid::bigint BETWEEN 3221225471 AND 4294967294 AND lock.mode = 'ExclusiveLock'
                THEN 'a lock by which relays say what they have routes for, for itself: they do not share those streams'
            WHEN lock.objid::bigint BETWEEN 2684354559 AND 3221225470 AND lock.mode = 'ExclusiveLock'
                OR lock.objid = 2147483649 AND lock.mode = 'ExclusiveLock'
                THEN 'the lock by which relays are counted, for itself: status does not see them'
            WHEN lock.objid = 0 AND lock.mode = 'ExclusiveLock' AND NOT is_relay
                THEN 'the doorbell, and is no relay: each commit of a producer notifies, and relays never sleep'
            WHEN lock.objid = 2147483648 AND activity.xact_start < clock_timestamp() - interval '1 minute'
                THEN 'the lock by which segments are emptied, for longer than that takes: none is emptied'
            WHEN lock.objid = 0 AND lock.mode = 'ShareLock' AND activity.xact_start < clock_timestamp() - interval '1 minute'
                THEN 'the doorbell in a transaction that has been open for more than a minute: until it ends, relays poll instead of sleeping'
        END AS what,
        lock.objid <> 0 OR lock.mode = 'ExclusiveLock' AS is_error
    FROM pg_locks AS lock
    LEFT JOIN pg_stat_activity AS activity ON activity.pid = lock.pid
    CROSS JOIN LATERAL (
        SELECT coalesce(has_table_privilege(activity.usesysid, '{{schema_text}}.stream', 'UPDATE'), true) AND EXISTS (
            SELECT FROM pg_locks AS member
            WHERE member.pid = lock.pid AND member.locktype = 'advisory' AND member.granted AND member.objsubid = 2
                AND member.classid = lock.classid AND member.database = lock.database
                AND (member.objid = 2147483649 OR member.objid::bigint BETWEEN 2684354559 AND 3221225470)
        )
    ) AS relay (is_relay)
    WHERE lock.locktype = 'advisory' AND lock.granted AND lock.objsubid = 2 AND lock.pid <> pg_backend_pid()
        AND lock.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND lock.classid = '{{schema_text}}.message'::regclass
) AS held
LEFT JOIN pg_stat_activity AS activity ON activity.pid = held.pid
WHERE held.what IS NOT NULL
UNION ALL
SELECT
    format(
        'server process %s%s%s has kept what relays write locked for %s s', holder.pid, ' of ' || activity.usename,
        ' (' || nullif(activity.application_name, '') || ')',
        ceil(extract(epoch FROM clock_timestamp() - activity.xact_start))::bigint),
    format('Its transaction is to end: COMMIT or ROLLBACK there, or SELECT pg_terminate_backend(%s)', holder.pid), false
FROM (
    SELECT DISTINCT pg_locks.pid
    FROM pg_locks
    WHERE pg_locks.locktype = 'relation' AND pg_locks.granted AND pg_locks.pid <> pg_backend_pid()
        AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND pg_locks.relation IN (
            to_regclass('{{schema_text}}.stream'), to_regclass('{{schema_text}}.deferred'),
            to_regclass('{{schema_text}}.dead_letter')
        )
        AND pg_locks.mode NOT IN ('AccessShareLock', 'ShareUpdateExclusiveLock')
) AS holder
JOIN pg_stat_activity AS activity ON activity.pid = holder.pid
WHERE activity.xact_start < clock_timestamp() - interval '1 minute'
ORDER BY 1

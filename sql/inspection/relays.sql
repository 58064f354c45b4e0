-- The sessions of a subscription's relays, those that own streams first: a stream's lock is exclusive, and all relays share one.
-- When one of the log's relays holds the bell, (message, 0), exclusively, all of them sleep, or are about to. Any role can take any
-- advisory lock, so none counts that may not move a cursor. Of sessions of other roles, one
-- that may not read all statistics sees no more than the name. $1 subscription, $2 the lock of its relays.
WITH lock AS MATERIALIZED (
    SELECT
        pg_locks.pid, pg_locks.mode,
        pg_locks.objid::bigint - CASE WHEN pg_locks.objid::bigint > 2147483647 THEN 4294967296 ELSE 0 END AS number
    FROM pg_locks
    WHERE pg_locks.locktype = 'advisory' AND pg_locks.granted AND pg_locks.objsubid = 2
        AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND pg_locks.classid = '{{schema_text}}.message'::regclass
)
SELECT
    relay.pid, coalesce(owned.streams, '') AS streams,
    EXISTS (SELECT FROM lock WHERE lock.number = 0 AND lock.mode = 'ExclusiveLock') AS is_asleep, activity.application_name,
    activity.backend_start,
    (extract(epoch FROM clock_timestamp() - activity.state_change) * 1000000)::bigint AS silent_microseconds,
    CASE activity.client_port WHEN -1 THEN 'local' ELSE coalesce(activity.client_hostname, host(activity.client_addr)) END AS host
FROM (
    SELECT lock.pid
    FROM lock
    WHERE lock.number = $2::integer
) AS relay
LEFT JOIN (
    SELECT lock.pid, string_agg(stream.id::text, ',' ORDER BY stream.id) AS streams
    FROM lock
    JOIN {{schema}}.stream ON stream.id = lock.number AND stream.subscription = $1
    WHERE lock.mode = 'ExclusiveLock'
    GROUP BY lock.pid
) AS owned ON owned.pid = relay.pid
LEFT JOIN pg_stat_activity AS activity ON activity.pid = relay.pid
WHERE coalesce(has_table_privilege(activity.usesysid, '{{schema_text}}.stream', 'UPDATE'), true)
ORDER BY owned.streams IS NULL, activity.backend_start, relay.pid

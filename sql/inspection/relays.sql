-- The sessions of a subscription's relays, the one that owns the streams first: it holds the lock that own.sql takes, all of
-- them hold the one of join.sql, and a relay that holds the bell, (message, 0), exclusively is asleep. Any role can take any advisory
-- lock, so none counts that may not move a cursor. Of sessions of other roles, one
-- that may not read all statistics sees no more than the name. $1 subscription.
SELECT
    relay.pid, relay.is_owner, relay.is_asleep, activity.application_name, activity.backend_start,
    (extract(epoch FROM clock_timestamp() - activity.state_change) * 1000000)::bigint AS silent_microseconds,
    CASE activity.client_port WHEN -1 THEN 'local' ELSE coalesce(activity.client_hostname, host(activity.client_addr)) END AS host
FROM (
    SELECT
        lock.pid, bool_or(lock.number = keys.owner) AS is_owner,
        bool_or(lock.number = 0 AND lock.mode = 'ExclusiveLock') AS is_asleep
    FROM (
        SELECT pg_locks.pid, pg_locks.mode, pg_locks.objid::bigint AS number
        FROM pg_locks
        WHERE pg_locks.locktype = 'advisory' AND pg_locks.granted AND pg_locks.objsubid = 2
            AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND pg_locks.classid = '{{schema_text}}.message'::regclass
    ) AS lock
    CROSS JOIN (
        SELECT
            CASE $1::text WHEN 'main' THEN -1 ELSE -2 - (hashtext($1) & 1073741823) END::bigint & 4294967295 AS owner,
            CASE $1 WHEN 'main' THEN -2147483647 ELSE -1073741826 - (hashtext($1) & 536870911) END::bigint & 4294967295
                AS member
    ) AS keys
    GROUP BY lock.pid
    HAVING bool_or(lock.number = keys.member)
) AS relay
LEFT JOIN pg_stat_activity AS activity ON activity.pid = relay.pid
WHERE coalesce(has_table_privilege(activity.usesysid, '{{schema_text}}.stream', 'UPDATE'), true)
ORDER BY relay.is_owner DESC, activity.backend_start, relay.pid

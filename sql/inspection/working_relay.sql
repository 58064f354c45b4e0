-- The session that works for this outbox and subscription, if one does: the holder of the lock that own.sql takes; and
-- whether somebody holds the bell, (message, 0), exclusively, which is to sleep. $1 subscription.
SELECT
    owner.pid, activity.application_name, activity.backend_start,
    EXISTS (
        SELECT FROM pg_locks AS bell
        WHERE bell.locktype = 'advisory' AND bell.granted AND bell.mode = 'ExclusiveLock'
            AND bell.database = owner.database AND bell.classid = owner.classid AND bell.objid = 0 AND bell.objsubid = 2
    ) AS is_asleep
FROM pg_locks AS owner
LEFT JOIN pg_stat_activity AS activity ON activity.pid = owner.pid
WHERE owner.locktype = 'advisory' AND owner.granted
    AND owner.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND owner.classid = '{{schema_text}}.message'::regclass
    AND owner.objid::bigint = (
        CASE $1::text WHEN 'main' THEN -1 ELSE -2 - (hashtext($1) & 1073741823) END::bigint & 4294967295
    ) AND owner.objsubid = 2

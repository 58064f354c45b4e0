-- The session that has the lock of own, and whether it is a relay: one that also holds the lock of join, and may move cursors. Any role
-- that can connect can take any advisory lock. $1 the log's oid, $2 subscription.
SELECT
    owner.pid, activity.usename::text AS role, activity.application_name,
    EXISTS (
        SELECT FROM pg_locks AS member
        WHERE member.pid = owner.pid AND member.locktype = 'advisory' AND member.granted AND member.objsubid = 2
            AND member.classid = owner.classid AND member.database = owner.database
            AND member.objid::bigint = CASE $2 WHEN 'main' THEN -2147483647 ELSE -1073741826 - (hashtext($2) & 536870911) END::bigint & 4294967295
    ) AND coalesce(has_table_privilege(activity.usesysid, '{{schema_text}}.stream', 'UPDATE'), true) AS is_relay
FROM pg_locks AS owner
LEFT JOIN pg_stat_activity AS activity ON activity.pid = owner.pid
WHERE owner.locktype = 'advisory' AND owner.granted AND owner.objsubid = 2
    AND owner.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND owner.classid = $1::bigint::oid
    AND owner.objid::bigint = CASE $2 WHEN 'main' THEN -1 ELSE -2 - (hashtext($2) & 1073741823) END::bigint & 4294967295

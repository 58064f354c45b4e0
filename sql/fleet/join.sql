-- Marks the session as a relay of this outbox and subscription, so that relays can be counted. All relays share the lock, so it is refused
-- only where another session, which is no relay, holds it exclusively. Below the numbers of routes, above that of truncate_segment. $1 the
-- log's oid, $2 subscription.
SELECT pg_try_advisory_lock_shared(
    $1, CASE $2 WHEN 'main' THEN -2147483647 ELSE -1073741826 - (hashtext($2) & 536870911) END)

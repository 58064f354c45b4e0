-- Be one of the relays of this outbox and subscription, for those who count them; a lock that is shared among them, and so refused
-- only where another session, which is no relay, has it for itself. Below the numbers of own, above that of truncate_segment. $1 the
-- log's oid, $2 subscription.
SELECT pg_try_advisory_lock_shared(
    $1, CASE $2 WHEN 'main' THEN -2147483647 ELSE -1073741826 - (hashtext($2) & 536870911) END)

-- Be the one relay of this outbox and subscription. The lock lives in the session that commits the cursor, so a relay
-- that has lost its session can commit nothing: fencing without clocks. $1 the log's oid, $2 subscription.
SELECT pg_try_advisory_lock($1, CASE $2 WHEN 'main' THEN -1 ELSE -2 - (hashtext($2) & 1073741823) END)

-- Says to other relays that this is one, and what it has routes for. All of them share these locks, so one is refused only where another session,
-- which is no relay, holds it exclusively. $1 the log's oid, $2 their numbers.
SELECT count(*) FILTER (WHERE pg_try_advisory_lock_shared($1, number)) AS granted FROM unnest($2::integer[]) AS number

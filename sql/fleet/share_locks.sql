-- Says to other relays what this one has routes for: shared locks, from -2 to -1073741825. $1 the log's oid, $2 their numbers.
SELECT count(*) FILTER (WHERE pg_try_advisory_lock_shared($1, number)) AS granted FROM unnest($2::integer[]) AS number

-- Tries to own streams, by their numbers. The locks live in the session that commits the cursors, so a
-- relay that has lost its session can commit nothing: fencing without clocks. $1 the log's oid, $2 numbers.
SELECT number, pg_try_advisory_lock($1, number) AS is_granted FROM unnest($2::integer[]) AS number

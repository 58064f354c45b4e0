-- Waits for a stream's lock: who holds it sees that and hands the stream over. $1 the log's oid, $2 the stream.
SELECT pg_advisory_lock($1, $2)

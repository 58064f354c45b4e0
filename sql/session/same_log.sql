-- Fails (22012) where the log is not the one that the session's locks are for: in an outbox that was dropped and created again
-- they protect nothing. First in every transaction that writes, last in one that reads what is deferred. $1 the log's oid.
SELECT 1 / (to_regclass('{{schema_text}}.message')::oid::bigint = $1)::integer

-- The snapshot that the poll reads with: the next cursor's. And which log it reads: a log that was dropped and created again
-- has another oid, other locks and another channel.
SELECT pg_current_snapshot(), to_regclass('{{schema_text}}.message')::oid::bigint

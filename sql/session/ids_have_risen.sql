-- Fails (22012) where the log's ids have begun again since the session last looked: the last id is lower, or the sequence is not stored
-- where it was, as after TRUNCATE ... RESTART IDENTITY. A cursor that is stored then would have seen messages with ids below it, and
-- say nothing of those that follow. In every transaction that writes; and such a transaction waits no longer than this for a lock: the
-- session that keeps the lock is named in the log, and the transaction is tried again. $1 the last id that is known, $2 where the sequence is stored.
-- Returns the last id.
SELECT
    last.id / coalesce(last.id >= $1 AND last.filenode = $2, false)::integer AS last_id,
    set_config('lock_timeout', '1s', true)
FROM (
    SELECT
        {{schema}}.last_id() AS id,
        pg_relation_filenode(pg_get_serial_sequence('{{schema_text}}.message', 'id')::regclass)::bigint AS filenode
    OFFSET 0
) AS last

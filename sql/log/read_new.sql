-- New: of all streams that have read everything that is visible in a snapshot, whatever its id, what has become visible since. As
-- in read_late, that is what has a transaction number from the snapshot's xmax on, or (read_new_running) of a transaction that was
-- running then; one short walk over the index on xid, however many streams there are. $1 snapshot, $2 destinations, $3 whether
-- these are wanted or all others, $4 messages at most, $5 the longest payload that is returned with its headers, as in read_fresh.
-- A full answer is some of the messages, and of no use but to say that there are many.
--
-- The first row is of no message: the log's oid as the id, and as the payload the snapshot that all this is read with. As one
-- statement it needs no transaction of several. $6 the first half of the bell's key: it is released, after the snapshot was taken;
-- a producer that does not NOTIFY for that is found by the next poll. NULL: it is not.
SELECT id, slot, scheduled, payload, {{message.read}}, destination
FROM (
    SELECT
        to_regclass('{{schema_text}}.message')::oid::bigint AS id, NULL::smallint AS slot, pg_advisory_unlock($6::integer, 0) AS scheduled,
        pg_snapshot_send(pg_current_snapshot()) AS payload, {{message.read.nulls}}, NULL::text AS destination
    UNION ALL
    (
        SELECT
            id, {{schema}}.slot(key, id), deliver_at > now(),
            CASE
                WHEN octet_length(payload) + coalesce(pg_column_size(headers), 0) <= $5 AND pg_column_compression(headers) IS NULL
                THEN payload
            END,
            {{message.read}}, destination
        FROM {{schema}}.message
        WHERE xid >= pg_snapshot_xmax($1::pg_snapshot) AND xid < pg_snapshot_xmax(pg_current_snapshot())
            AND (destination = ANY ($2::text[])) = $3
        LIMIT $4
    )
) AS answer
ORDER BY destination NULLS FIRST, id

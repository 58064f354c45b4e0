-- As read_new, for a snapshot in which transactions were running: with their messages. A statement of its own, because the other
-- one costs half as much, and most snapshots have none.
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
        FROM (
            SELECT id, deliver_at, payload, {{message.read}}, destination
            FROM {{schema}}.message
            WHERE xid = ANY (ARRAY(SELECT pg_snapshot_xip($1::pg_snapshot)))
                AND (destination = ANY ($2::text[])) = $3
            UNION ALL
            SELECT id, deliver_at, payload, {{message.read}}, destination
            FROM {{schema}}.message
            WHERE xid >= pg_snapshot_xmax($1::pg_snapshot) AND xid < pg_snapshot_xmax(pg_current_snapshot())
                AND (destination = ANY ($2::text[])) = $3
        ) AS new
        LIMIT $4
    )
) AS answer
ORDER BY destination NULLS FIRST, id

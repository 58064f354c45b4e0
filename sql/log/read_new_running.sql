-- As read_new, for a snapshot in which transactions were running: with their messages. A statement of its own, because the other
-- one costs half as much, and most snapshots have none.
SELECT id, slot, created_at, route, key, headers, options, payload, scheduled, destination
FROM (
    SELECT
        to_regclass('{{schema_text}}.message')::oid::bigint AS id, NULL::smallint AS slot, NULL::timestamptz AS created_at,
        NULL::text AS route, NULL::text AS key, NULL::jsonb AS headers, NULL::jsonb AS options,
        pg_snapshot_send(pg_current_snapshot()) AS payload, pg_advisory_unlock($6::integer, 0) AS scheduled, NULL::text AS destination
    UNION ALL
    (
        SELECT
            id, {{schema}}.slot(key, id), created_at, route, key, headers, options,
            CASE
                WHEN octet_length(payload) + coalesce(pg_column_size(headers), 0) <= $5 AND pg_column_compression(headers) IS NULL
                THEN payload
            END, deliver_at > now(), destination
        FROM (
            SELECT id, key, created_at, route, headers, options, payload, deliver_at, destination
            FROM {{schema}}.message
            WHERE xid = ANY (ARRAY(SELECT pg_snapshot_xip($1::pg_snapshot)))
                AND (destination = ANY ($2::text[])) = $3
            UNION ALL
            SELECT id, key, created_at, route, headers, options, payload, deliver_at, destination
            FROM {{schema}}.message
            WHERE xid >= pg_snapshot_xmax($1::pg_snapshot) AND xid < pg_snapshot_xmax(pg_current_snapshot())
                AND (destination = ANY ($2::text[])) = $3
        ) AS new
        LIMIT $4
    )
) AS answer
ORDER BY destination NULLS FIRST, id

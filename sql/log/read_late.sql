-- Late: messages with an id that the stream has passed, of transactions that its snapshot did not see: those that were
-- running then, and those with a number from its xmax on, which is one past the last that had ended, so that running
-- transactions can have it without being in xip.
--
-- $1 snapshot, $2 horizon (null: the current snapshot's xmax), $3 position, $4 destination, $5 and $6 slots, $7 messages,
-- $8 bytes at most. Only xid is compared bare: whatever the statistics say, only the index on xid can serve this;
-- the one on (destination, id, slot) would read everything ever passed.
SELECT id, slot, scheduled, payload, {{message.read}}
FROM (
    SELECT
        id, {{schema}}.slot(key, id) AS slot, deliver_at > now() AS scheduled, payload, {{message.read}},
        sum(octet_length(payload) + coalesce(octet_length(headers::text), 0))
            OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before
    FROM (
        SELECT id, deliver_at, payload, {{message.read}}
        FROM {{schema}}.message
        WHERE xid = ANY (ARRAY(SELECT pg_snapshot_xip($1::pg_snapshot)))
            AND id + 0 <= $3 AND destination IS NOT DISTINCT FROM $4
            AND {{schema}}.slot(key, id)::integer BETWEEN $5 AND $6
        UNION ALL
        SELECT id, deliver_at, payload, {{message.read}}
        FROM {{schema}}.message
        WHERE xid >= pg_snapshot_xmax($1::pg_snapshot)
            AND xid < coalesce($2::xid8, pg_snapshot_xmax(pg_current_snapshot()))
            AND id + 0 <= $3 AND destination IS NOT DISTINCT FROM $4
            AND {{schema}}.slot(key, id)::integer BETWEEN $5 AND $6
    ) AS late
    ORDER BY id
    LIMIT $7
) AS page
WHERE coalesce(bytes_before, 0) < $8
ORDER BY id

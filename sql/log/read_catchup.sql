-- The next page of a late part that is longer than one: late as in read_late, but with the snapshot pinned to the one that
-- the first page was read with, and by id, so that every page is one short walk. $1 snapshot, $2 position, $3 pinned
-- snapshot, $4 the last id read, $5 destination, $6 and $7 slots, $8 messages, $9 bytes at most,
-- $10 horizon (null: the pinned snapshot's xmax).
--
-- In one server's life the horizon is not above the pinned snapshot's xmax. If it is, the rows come from a server whose
-- numbers were higher, by dump and restore, and the pinned snapshot says nothing of them: all of them had committed. (A CASE,
-- so that the comparison does not tempt the planner to the index on xid.)
SELECT id, slot, scheduled, payload, {{message.read}}
FROM (
    SELECT
        id, {{schema}}.slot(key, id) AS slot, deliver_at > now() AS scheduled, payload, {{message.read}},
        sum(octet_length(payload) + coalesce(octet_length(headers::text), 0))
            OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before
    FROM {{schema}}.message
    WHERE destination = $5 AND id > $4 AND id <= $2 AND {{schema}}.slot(key, id) BETWEEN $6 AND $7
        AND NOT pg_visible_in_snapshot(xid, $1::pg_snapshot)
        AND CASE
            WHEN xid < coalesce($10::xid8, pg_snapshot_xmax($3::pg_snapshot))
            THEN pg_visible_in_snapshot(xid, $3::pg_snapshot) OR pg_snapshot_xmax($3::pg_snapshot) < $10::xid8
        END
    ORDER BY id
    LIMIT $8
) AS page
WHERE coalesce(bytes_before, 0) < $9
ORDER BY id

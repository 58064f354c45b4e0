-- Of streams that were not read for a while, or of which there is much, the lowest id of what has become visible since they were:
-- none, if there is nothing. What came since the oldest of their snapshots is looked at once, not once for each stream. After
-- join_by_hash. Slots are not looked at: a stream of some slots is read from where there is something new of its destination.
-- $1 streams, $2 their destinations, $3 their snapshots.
WITH
known AS MATERIALIZED (
    SELECT stream, destination, snapshot
    FROM unnest($1::integer[], $2::text[], $3::pg_snapshot[]) AS known (stream, destination, snapshot)
),
-- A few rows for each destination.
lowest AS MATERIALIZED (
    SELECT new.destination, new.xid, min(new.id) AS id
    FROM (
        SELECT destination, xid, id
        FROM {{schema}}.message
        WHERE xid = ANY (ARRAY(
            SELECT DISTINCT running.xid
            FROM known CROSS JOIN LATERAL pg_snapshot_xip(known.snapshot) AS running (xid)
        ))
        UNION ALL
        SELECT destination, xid, id
        FROM {{schema}}.message
        WHERE xid >= (SELECT pg_snapshot_xmax(snapshot) AS oldest FROM known ORDER BY oldest LIMIT 1)
            AND xid < pg_snapshot_xmax(pg_current_snapshot())
    ) AS new
    GROUP BY new.destination, new.xid
)
SELECT known.stream, min(lowest.id) AS id
FROM known
JOIN lowest ON lowest.destination = known.destination
WHERE NOT pg_visible_in_snapshot(lowest.xid, known.snapshot)
GROUP BY known.stream

-- {{overlooked_way}} of status and doctor: how to look for messages of a stream that came after its cursor was stored, with an id that
-- it had passed. The view pending and the function stream_lag have the same.
-- From which transaction on a message is one that the cursor has not seen.
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN pg_snapshot_xmax(stream.snapshot) > pg_snapshot_xmax(pg_current_snapshot()) THEN '0'::xid8
        ELSE stream.horizon
    END AS xid
    OFFSET 0
) AS since
-- How to look for overlooked ones: by the ids that were passed (true), by the transactions since (false), not at all (null).
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN (
            SELECT message.xid FROM {{schema}}.message
            WHERE message.xid >= since.xid AND message.xid < pg_snapshot_xmax(pg_current_snapshot())
            ORDER BY message.xid LIMIT 1
        ) IS NULL THEN NULL
        ELSE (
            SELECT message.id FROM {{schema}}.message
            WHERE message.destination = stream.destination AND message.id <= stream.position
            ORDER BY message.id LIMIT 1 OFFSET 50
        ) IS NULL OR (
            SELECT message.xid FROM {{schema}}.message
            WHERE message.xid >= since.xid AND message.xid < pg_snapshot_xmax(pg_current_snapshot())
            ORDER BY message.xid LIMIT 1 OFFSET 10000
        ) IS NOT NULL
    END AS by_id
    OFFSET 0
) AS way

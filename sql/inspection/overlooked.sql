-- {{overlooked}} of status and doctor, after {{overlooked_way}}: those messages.
SELECT message.created_at
FROM {{schema}}.message
WHERE message.destination = stream.destination
    AND message.id <= CASE WHEN way.by_id THEN stream.position END
    AND {{schema}}.slot(message.key, message.id) BETWEEN stream.slot_low AND stream.slot_high
    AND CASE
        WHEN message.xid >= since.xid AND message.xid < pg_snapshot_xmax(pg_current_snapshot())
        THEN message.xid >= stream.horizon OR pg_visible_in_snapshot(message.xid, stream.snapshot)
    END
UNION ALL
SELECT message.created_at
FROM {{schema}}.message
WHERE message.xid >= CASE WHEN NOT way.by_id THEN since.xid END
    AND message.xid < pg_snapshot_xmax(pg_current_snapshot())
    AND message.id + 0 <= stream.position AND message.destination IS NOT DISTINCT FROM stream.destination
    AND {{schema}}.slot(message.key, message.id)::integer BETWEEN stream.slot_low AND stream.slot_high
    AND (message.xid >= stream.horizon OR pg_visible_in_snapshot(message.xid, stream.snapshot))

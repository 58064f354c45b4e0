-- Cursors that the numbers have fallen behind of. In one server's life ids and transaction numbers only rise, so a stream's
-- position is not above the last id, its snapshot not above the next transaction number, and no transaction from its horizon on
-- has an id that it has passed. Where one of these is not so, numbers have begun again, and the cursor is made one that misses
-- nothing:
--
-- ids: they began again below the position (TRUNCATE ... RESTART IDENTITY, setval). Whatever the snapshot does not see is late, so the
-- horizon is moved up over it, and the position down to what there is.
-- order: the same, seen by the first transactions from the horizon on, or known from $3: ids do not rise at all.
-- server: the transaction numbers are those of a server that was further on, from which the cursor was taken here by a dump or
-- by replication; and there are messages below the position with numbers that this server can have given. Which of them the
-- cursor has seen is not known, so all of them are late: the snapshot becomes one that has seen nothing. What has a number that
-- this server has not reached is of the other one, and seen, unless it was late there: then the position goes below it.
--
-- $1 streams, $2 the last id, $3 whether ids rise with the numbers of transactions. Returns the streams of which the cursor was changed,
-- and why.
WITH judged AS MATERIALIZED (
    SELECT
        stream.id, stream.position, stream.snapshot, stream.horizon, stream.destination, stream.slot_low, stream.slot_high,
        pg_snapshot_xmax(stream.snapshot) > pg_current_xact_id() AS is_foreign, stream.position > $2 AS is_ahead
    FROM {{schema}}.stream
    WHERE stream.id = ANY ($1::integer[])
),
found AS MATERIALIZED (
    SELECT
        judged.*,
        CASE
            -- Where this server has given few numbers their messages are looked at, otherwise those that the stream has passed: not
            -- all of this server's for each stream.
            WHEN judged.is_foreign THEN CASE WHEN judged.is_ahead OR CASE
                WHEN (
                    SELECT xid FROM {{schema}}.message WHERE xid < pg_current_xact_id() ORDER BY xid LIMIT 1 OFFSET 100
                ) IS NULL THEN EXISTS (
                    SELECT
                    FROM {{schema}}.message
                    WHERE xid < pg_current_xact_id() AND id + 0 <= judged.position
                        AND destination IS NOT DISTINCT FROM judged.destination
                        AND {{schema}}.slot(key, id)::integer BETWEEN judged.slot_low AND judged.slot_high
                )
                ELSE EXISTS (
                    SELECT
                    FROM {{schema}}.message
                    WHERE destination = judged.destination AND id <= judged.position
                        AND {{schema}}.slot(key, id) BETWEEN judged.slot_low AND judged.slot_high
                        AND CASE WHEN xid < pg_current_xact_id() THEN true END
                )
            END THEN 'server' END
            WHEN judged.is_ahead THEN 'ids'
            WHEN NOT $3 OR EXISTS (
                SELECT
                FROM (SELECT id FROM {{schema}}.message WHERE xid >= judged.horizon ORDER BY xid LIMIT 100) AS first
                WHERE first.id <= judged.position
            ) THEN 'order'
        END AS cause
    FROM judged
),
mended AS (
    SELECT
        found.id, found.cause,
        least(
            found.position,
            CASE WHEN found.is_ahead THEN greatest($2, coalesce((
                SELECT message.id
                FROM {{schema}}.message
                WHERE message.destination = found.destination AND message.id <= found.position
                ORDER BY message.id DESC
                LIMIT 1
            ), 0)) END,
            CASE WHEN found.cause = 'server' THEN (
                SELECT min(late.id) - 1
                FROM (
                    SELECT message.id, message.xid, message.destination, message.key
                    FROM {{schema}}.message
                    WHERE message.xid = ANY (ARRAY(SELECT pg_snapshot_xip(found.snapshot)))
                    UNION ALL
                    SELECT message.id, message.xid, message.destination, message.key
                    FROM {{schema}}.message
                    WHERE message.xid >= pg_snapshot_xmax(found.snapshot) AND message.xid < found.horizon
                ) AS late
                WHERE late.id + 0 <= found.position AND late.destination IS NOT DISTINCT FROM found.destination
                    AND {{schema}}.slot(late.key, late.id)::integer BETWEEN found.slot_low AND found.slot_high
            ) END
        ) AS position
    FROM found
    WHERE found.cause IS NOT NULL
)
UPDATE {{schema}}.stream
SET horizon = pg_current_xact_id(),
    position = mended.position,
    snapshot = CASE WHEN mended.cause = 'server' THEN '3:3:'::pg_snapshot ELSE stream.snapshot END,
    catchup_snapshot = CASE WHEN mended.cause <> 'server' THEN catchup_snapshot END,
    catchup_position = CASE WHEN mended.cause <> 'server' THEN catchup_position END
FROM mended
WHERE stream.id = mended.id
RETURNING stream.destination, mended.cause, stream.id

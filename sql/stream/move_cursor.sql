-- $1 the row's place as the last update returned it, $2 stream, $3 snapshot, $4 position, $5 and $6 the late part that is
-- being paged through. By place, because under a pinned xmin the chain of the row's versions gets long; by id where the
-- row has moved. This transaction's own number is above every number that a message late for $3 can have; $7 is the horizon
-- that $3 came with, while its late part is being paged through. $8 the generation that $3 and $4 continue: in another one,
-- an operator has put the cursor elsewhere. A stream that has other slots now than $13 to $14 is not moved: $3 and $4 say nothing of them.
--
-- What was read by transaction numbers alone is looked at by ids before it counts as passed: from $10 to $11 no message of the
-- destination $12 with a slot from $13 to $14 may be visible in $9 (null: nothing was read so), for all of those had been read; nor
-- may one have a number that this server has not given yet. Otherwise rows were put into the log with numbers of another time, and
-- this fails (22012).
WITH
checked AS MATERIALIZED (
    SELECT
        $4 / CASE
            WHEN $9::pg_snapshot IS NULL THEN 1
            ELSE (NOT EXISTS (
                SELECT
                FROM {{schema}}.message
                WHERE destination = $12 AND id > $10 AND id <= $11 AND {{schema}}.slot(key, id) BETWEEN $13 AND $14
                    AND (pg_visible_in_snapshot(xid, $9::pg_snapshot) OR xid >= pg_snapshot_xmax(pg_current_snapshot()))
            ))::integer
        END AS position
),
by_place AS (
    UPDATE {{schema}}.stream
    SET snapshot = $3, position = (SELECT position FROM checked), horizon = coalesce($7::xid8, pg_current_xact_id()),
        catchup_snapshot = $5, catchup_position = $6, committed_at = now()
    WHERE ctid = $1 AND id = $2 AND generation = $8 AND slot_low = $13 AND slot_high = $14
    RETURNING ctid
),
by_id AS (
    UPDATE {{schema}}.stream
    SET snapshot = $3, position = (SELECT position FROM checked), horizon = coalesce($7::xid8, pg_current_xact_id()),
        catchup_snapshot = $5, catchup_position = $6, committed_at = now()
    WHERE id = $2 AND generation = $8 AND slot_low = $13 AND slot_high = $14 AND NOT EXISTS (SELECT FROM by_place)
    RETURNING ctid
)
SELECT ctid FROM by_place UNION ALL SELECT ctid FROM by_id

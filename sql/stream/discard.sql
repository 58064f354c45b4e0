-- Passes all of a destination's messages that are committed, and deletes what of them waits for a later attempt or its time. The cursor of each
-- stream is put where merge puts one, and for the same reasons. $1 subscription, $2 destination, $3 the log's last id before this transaction had a
-- number.
WITH
passed AS (
    UPDATE {{schema}}.stream
    SET
        snapshot = pg_current_snapshot(), position = greatest($3, position), horizon = pg_current_xact_id(),
        catchup_snapshot = NULL, catchup_position = NULL
    WHERE subscription = $1 AND destination = $2
    RETURNING 1
),
gone AS (
    DELETE FROM {{schema}}.deferred WHERE subscription = $1 AND destination = $2 RETURNING 1
)
SELECT (SELECT count(*) FROM passed) AS streams, (SELECT count(*) FROM gone) AS deferred

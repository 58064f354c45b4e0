-- Passes all of a destination's messages that are committed. The cursor of each stream is put where merge puts one, and for the same reasons; its
-- row was locked before, so that a position is not read in a state that is older than its horizon. $1 subscription, $2 destination, $3 the log's last
-- id before this transaction had a number.
UPDATE {{schema}}.stream
SET
    snapshot = pg_current_snapshot(), position = greatest($3, position),
    horizon = greatest(horizon, pg_current_xact_id()), catchup_snapshot = NULL, catchup_position = NULL
WHERE subscription = $1 AND destination = $2

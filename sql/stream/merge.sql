-- Makes one stream of all of a destination. Each has read as far as its own cursor says, and one cursor cannot say that for all. So what any of
-- them has not read is put into deferred, to be delivered at once, in the order of its keys; and the cursor of the whole is at the
-- end: at what this statement's snapshot sees, up to $3, the log's last id before this transaction had a number. What has such an
-- id and is not visible yet has a lower number than this transaction, the horizon. Where ids have begun again, a stream's position is beyond $3:
-- then that stays, and the relay that takes the stream finds out. Nothing of the streams may be on its way. $1 subscription, $2 destination.
WITH
reached AS MATERIALIZED (
    SELECT greatest($3, max(stream.position)) AS position
    FROM {{schema}}.stream
    WHERE stream.subscription = $1 AND stream.destination = $2
),
unread AS MATERIALIZED (
    SELECT DISTINCT pending.id
    FROM {{schema}}.pending, reached
    WHERE pending.subscription = $1 AND pending.destination = $2 AND pending.id <= reached.position
),
moved AS (
    INSERT INTO {{schema}}.deferred (subscription, id, {{message.kept}}, attempts, next_attempt_at, ordered)
    SELECT
        $1, message.id, {{message.kept of message}}, 0,
        CASE
            WHEN message.deliver_at > now() THEN message.deliver_at
            WHEN message.key IS NULL THEN now()
            -- The first of each key is let go by the relay that takes the stream.
            ELSE 'infinity'
        END,
        message.key IS NOT NULL
    FROM unread
    CROSS JOIN LATERAL (
        SELECT * FROM {{schema}}.message WHERE message.destination = $2 AND message.id = unread.id LIMIT 1
    ) AS message
    ON CONFLICT DO NOTHING
    RETURNING 1
),
gone AS (
    DELETE FROM {{schema}}.stream
    WHERE subscription = $1 AND destination = $2 AND slot_low > 0
    RETURNING starts
),
whole AS (
    UPDATE {{schema}}.stream
    SET slot_high = 1023, snapshot = pg_current_snapshot(), position = (SELECT position FROM reached), horizon = pg_current_xact_id(), catchup_snapshot = NULL,
        catchup_position = NULL, starts = greatest(starts, (SELECT max(starts) FROM gone))
    WHERE subscription = $1 AND destination = $2 AND slot_low = 0
    RETURNING 1
)
SELECT (SELECT count(*) FROM moved) AS moved, (SELECT count(*) FROM gone) AS gone, (SELECT count(*) FROM whole) AS whole

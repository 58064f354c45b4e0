-- The subscriptions of an outbox, and what is deferred and dead of each, counted up to a limit. One without a stream has left something there: its
-- streams were removed by SQL. What waits in the log is in stream_status. $1 one of them, or null for all; $2 limit.
SELECT
    known.subscription,
    (SELECT count(*) FROM {{schema}}.stream WHERE stream.subscription = known.subscription) AS streams,
    (SELECT count(DISTINCT destination) FROM {{schema}}.stream WHERE stream.subscription = known.subscription) AS destinations,
    (
        SELECT count(*)
        FROM (SELECT FROM {{schema}}.deferred WHERE deferred.subscription = known.subscription LIMIT $2) AS counted
    ) AS deferred,
    (
        SELECT count(*)
        FROM (SELECT FROM {{schema}}.dead_letter WHERE dead_letter.subscription = known.subscription LIMIT $2) AS counted
    ) AS dead
FROM (
    SELECT stream.subscription FROM {{schema}}.stream
    UNION
    SELECT deferred.subscription FROM {{schema}}.deferred
    UNION
    SELECT dead_letter.subscription FROM {{schema}}.dead_letter
) AS known
WHERE $1::text IS NULL OR known.subscription = $1
ORDER BY known.subscription

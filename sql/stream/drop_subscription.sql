-- Removes a subscription: its cursors, and what is deferred and dead of it. The log stays, and is emptied when the streams of others have passed it.
-- $1 subscription, $2 its streams, nothing of which is on its way: what a relay has made meanwhile is that relay's.
WITH
stream AS (
    DELETE FROM {{schema}}.stream WHERE subscription = $1 AND id = ANY ($2::integer[]) RETURNING 1
),
waiting AS (
    DELETE FROM {{schema}}.deferred WHERE subscription = $1 RETURNING 1
),
dead AS (
    DELETE FROM {{schema}}.dead_letter WHERE subscription = $1 RETURNING 1
)
SELECT
    (SELECT count(*) FROM stream) AS streams, (SELECT count(*) FROM waiting) AS deferred,
    (SELECT count(*) FROM dead) AS dead

-- A log whose numbers began anew (TRUNCATE ... RESTART IDENTITY): transactions after the horizon have numbers that the stream
-- has passed, which cannot be otherwise. They are late, so the horizon is moved up over them. The first few after it show it.
-- $1 subscription, $2 destinations.
UPDATE {{schema}}.stream
SET horizon = pg_current_xact_id()
WHERE subscription = $1 AND destination = ANY ($2::text[])
    AND EXISTS (
        SELECT
        FROM (SELECT id FROM {{schema}}.message WHERE xid >= stream.horizon ORDER BY xid LIMIT 100) AS first
        WHERE first.id <= stream.position
    )
RETURNING destination

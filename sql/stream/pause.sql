-- Nothing more is read of a stream until it is resumed. $1 subscription, $2 destinations.
UPDATE {{schema}}.stream
SET paused_at = coalesce(paused_at, now())
WHERE subscription = $1 AND destination = ANY ($2::text[])
RETURNING destination

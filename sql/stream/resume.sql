-- A stream is read from where it was paused. $1 subscription, $2 destinations.
UPDATE {{schema}}.stream
SET paused_at = NULL
WHERE subscription = $1 AND destination = ANY ($2::text[])
RETURNING destination

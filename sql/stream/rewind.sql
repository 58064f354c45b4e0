-- What has an id from $3 on was not handled; of what is below it, what was handled still is. So the snapshot and the horizon
-- stay: they say what of it was late. A late part that is being paged through was handled up to where its place and the
-- new position are. A stream that has not come so far stays where it is. $1 subscription, $2 destination, $3 id.
UPDATE {{schema}}.stream
SET position = $3 - 1,
    catchup_position = CASE WHEN catchup_position IS NOT NULL THEN least(catchup_position, $3 - 1) END
WHERE subscription = $1 AND destination = $2 AND position >= $3

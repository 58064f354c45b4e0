-- Notes of streams that their destinations are down, or up again. $1 the streams; of each, $3 why it is down, null: it is up, and $2 for how many
-- milliseconds. A row that an operator's transaction has changed is left for the next time: a relay does not wait for it.
WITH
free AS MATERIALIZED (
    SELECT stream.id FROM {{schema}}.stream WHERE stream.id = ANY ($1) FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE {{schema}}.stream
SET
    down_reason = outage.reason,
    down_since = CASE WHEN outage.reason IS NOT NULL THEN now() - outage.milliseconds * interval '1 millisecond' END
FROM unnest($1::integer[], $2::bigint[], $3::text[]) AS outage (id, milliseconds, reason)
JOIN free USING (id)
WHERE stream.id = outage.id
RETURNING stream.id

-- The next of the transactions that came after the cursors with which a session began, and the streams that have passed an id of
-- theirs, which cannot be as long as ids rise with the numbers of transactions. In slices, because all there is since the oldest
-- cursor may be long. $1 the first transaction to look at, $2 the one to stop before, $3 how many messages; of the streams, as they
-- were: $4 ids, $5 destinations, $6 horizons, $7 positions. Returns how many messages were looked at, the last one's transaction,
-- and the ids of the streams. Slots are not looked at: as long as ids rise, no id of a later transaction was passed, whatever its slot.
WITH slice AS MATERIALIZED (
    SELECT message.xid, message.id, message.destination
    FROM {{schema}}.message
    WHERE message.xid >= $1 AND message.xid < $2
    ORDER BY message.xid
    LIMIT $3
),
-- A few rows for each destination: joined with streams one by one, not message by message.
lowest AS MATERIALIZED (
    SELECT slice.destination, slice.xid, min(slice.id) AS id
    FROM slice
    GROUP BY slice.destination, slice.xid
),
passed AS (
    SELECT DISTINCT known.stream
    FROM unnest($4::integer[], $5::text[], $6::xid8[], $7::bigint[]) AS known (stream, destination, horizon, position)
    JOIN lowest ON lowest.destination = known.destination
    WHERE lowest.xid >= known.horizon AND lowest.id <= known.position
)
SELECT
    (SELECT count(*) FROM slice) AS messages, (SELECT max(xid::text::bigint) FROM slice) AS last,
    ARRAY(SELECT stream FROM passed) AS streams

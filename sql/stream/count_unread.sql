-- How many messages the streams of a destination have not read, counted up to a limit. $1 subscription, $2 destination, $3 limit.
SELECT count(*) AS messages
FROM (
    SELECT FROM {{schema}}.pending WHERE pending.subscription = $1 AND pending.destination = $2 LIMIT $3
) AS counted

-- How many messages of a destination the log has, counted up to a limit. $1 destination, $2 limit.
SELECT count(*) AS messages
FROM (
    SELECT FROM {{schema}}.message WHERE message.destination = $1 LIMIT $2
) AS counted

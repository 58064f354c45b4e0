-- Routes of a destination's last messages in the log, the most frequent first, with when the last of each was enqueued. $1 destination, $2 how many
-- messages, $3 how many routes at most.
SELECT recent.route, count(*) AS messages, nullif(nullif(max(recent.created_at), 'infinity'), '-infinity') AS last_at
FROM (
    SELECT message.route, message.created_at
    FROM {{schema}}.message
    WHERE message.destination = $1
    ORDER BY message.id DESC
    LIMIT $2
) AS recent
GROUP BY recent.route
ORDER BY count(*) DESC, recent.route
LIMIT $3

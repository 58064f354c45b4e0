-- Fails (22012) where a message has the number of another one that waits or is dead: the log's numbers were restarted while these
-- stayed, and one message would be taken for the other. $1 subscription, $2 destination, $3 ids.
SELECT 1 / (NOT EXISTS (
    SELECT
    FROM unnest($3::bigint[]) AS numbers (id)
    LEFT JOIN LATERAL (
        SELECT row.created_at FROM {{schema}}.message AS row
        WHERE row.destination = $2 AND row.id = numbers.id
        LIMIT 1
    ) AS message ON true
    LEFT JOIN LATERAL (
        SELECT row.created_at FROM {{schema}}.deferred AS row
        WHERE row.id = numbers.id AND row.subscription = $1
        OFFSET 0
    ) AS deferred ON true
    LEFT JOIN LATERAL (
        SELECT row.created_at FROM {{schema}}.dead_letter AS row
        WHERE row.subscription = $1 AND row.id = numbers.id
        OFFSET 0
    ) AS dead ON true
    WHERE message.created_at <> deferred.created_at OR message.created_at <> dead.created_at
        OR deferred.created_at <> dead.created_at
))::integer

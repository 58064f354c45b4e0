-- The partitions of the log: which is current, their sizes, and for how long each has been current, or not. A partition has
-- no file but an empty one until the first row, and after TRUNCATE.
SELECT
    number, is_current, pg_relation_size(partition) = 0 AS is_empty, pg_total_relation_size(partition) AS bytes,
    (extract(epoch FROM now() - since) * 1000000)::bigint AS age_microseconds
FROM {{schema}}.segment
CROSS JOIN LATERAL (SELECT ('{{schema_text}}.message_' || number)::regclass) AS named (partition)
ORDER BY number

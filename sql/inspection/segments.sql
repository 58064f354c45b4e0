-- The partitions of the log: their numbers, sizes on disk with indexes, and which one new messages go to.
SELECT
    partition.number, pg_total_relation_size(partition.oid) AS bytes,
    -- A role that may not read the sequence sees no current one.
    coalesce(
        CASE
            WHEN has_sequence_privilege('{{schema_text}}.segment_number', 'SELECT, USAGE')
                THEN partition.number = coalesce(pg_sequence_last_value('{{schema_text}}.segment_number'), 0)
        END,
        false
    ) AS is_current
FROM (
    SELECT pg_class.oid, substring(pg_get_expr(relpartbound, pg_class.oid) FROM '\d+')::smallint AS number
    FROM pg_inherits
    JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = '{{schema_text}}.message'::regclass
) AS partition
ORDER BY partition.number

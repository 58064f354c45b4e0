-- New messages go to another partition, the next one of the ring that is empty: order and cursors do not depend on which. $1 the
-- current one: where it is another by now, nothing happens. Not nextval, so that two sessions that do this at once move on by one. It
-- takes effect at once, whatever becomes of this transaction, and nothing depends on when a producer sees it.
SELECT setval('{{schema_text}}.segment_number', next.number)
FROM (
    SELECT number
    FROM generate_series(0, 3) AS number
    WHERE number <> $1 AND pg_relation_size(('{{schema_text}}.message_' || number)::regclass) = 0
    ORDER BY (number - $1 + 4) % 4
    LIMIT 1
) AS next
WHERE coalesce(pg_sequence_last_value('{{schema_text}}.segment_number'), 0) = $1

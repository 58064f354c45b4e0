-- New messages go to the next partition of the ring, if it is empty. $1 the current one: where somebody else has moved on,
-- nothing happens. Not nextval, so that two who do this at once move on by one. It takes effect at once, whatever becomes of
-- this transaction, and nothing depends on when a producer sees it.
SELECT setval('{{schema_text}}.segment_number', next.number)
FROM (SELECT ($1 + 1) % 4) AS next (number)
WHERE pg_sequence_last_value('{{schema_text}}.segment_number') = $1
    AND pg_relation_size(('{{schema_text}}.message_' || next.number)::regclass) = 0

-- Since when which segment is current, as far as anybody has looked. The sequence may have moved without it: a session that
-- ended in between, somebody's setval.
UPDATE {{schema}}.segment
SET is_current = NOT is_current, since = now()
WHERE is_current <> (number = pg_sequence_last_value('{{schema_text}}.segment_number'))

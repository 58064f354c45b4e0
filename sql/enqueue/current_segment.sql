-- The partition that new messages go to.
SELECT pg_sequence_last_value('{{schema_text}}.segment_number')::smallint

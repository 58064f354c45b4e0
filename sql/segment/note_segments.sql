-- Since when which segment is current, as far as it was looked at. The sequence may have moved without it: a session that ended
-- in between, a setval by hand. A row that is missing was lost by TRUNCATE, or with a dump of the structure alone.
WITH present AS (
    SELECT number, number = coalesce(pg_sequence_last_value('{{schema_text}}.segment_number'), 0) AS is_current
    FROM generate_series(0, 3) AS number
),
missing AS (
    INSERT INTO {{schema}}.segment (number, is_current)
    SELECT number, is_current
    FROM present
    WHERE NOT EXISTS (SELECT FROM {{schema}}.segment WHERE segment.number = present.number)
    ON CONFLICT DO NOTHING
)
UPDATE {{schema}}.segment
SET is_current = present.is_current, since = now()
FROM present
WHERE segment.number = present.number AND segment.is_current <> present.is_current

-- What a replay or a discard would touch.
SELECT count(*)
FROM {{schema}}.dead_letter
WHERE {{filter}}

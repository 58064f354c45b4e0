-- For good.
DELETE FROM {{schema}}.dead_letter
WHERE {{filter}}

-- What a retry or a discard would touch.
SELECT count(*)
FROM {{schema}}.deferred
WHERE {{filter}}

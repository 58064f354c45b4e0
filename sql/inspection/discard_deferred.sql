-- For good. The trigger tells relays, which let go what waits behind these.
DELETE FROM {{schema}}.deferred
WHERE {{filter}}

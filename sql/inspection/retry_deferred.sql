-- Due now. Attempts count on. The trigger tells relays.
UPDATE {{schema}}.deferred
SET next_attempt_at = now()
WHERE {{filter}}

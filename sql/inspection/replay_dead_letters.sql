-- Due now, with all attempts available again. They hold up no other message: their turn in the order of their keys has passed.
WITH revived AS (
    DELETE FROM {{schema}}.dead_letter
    WHERE {{filter}}
    RETURNING *
)
INSERT INTO {{schema}}.deferred (
    subscription, id, {{message.kept}}, attempts, next_attempt_at, ordered, last_error
)
SELECT
    subscription, id, {{message.kept}}, 0, now(), false, last_error
FROM revived
ON CONFLICT (subscription, id) DO UPDATE SET attempts = 0, next_attempt_at = excluded.next_attempt_at

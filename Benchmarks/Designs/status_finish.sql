-- $1 the ids of what was delivered.
UPDATE {{schema}}.status_message SET status = 'sent', sent_at = now() WHERE id = ANY ($1)

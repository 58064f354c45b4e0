-- $1 the ids of what was delivered.
DELETE FROM {{schema}}.lease_message WHERE id = ANY ($1)

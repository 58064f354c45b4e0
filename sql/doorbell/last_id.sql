-- The last id that a message of any destination was given: whether anything is being enqueued, whoever it is for.
SELECT {{schema}}.last_id() AS id

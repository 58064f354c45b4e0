-- The last id that a message of any destination was given: whether anything is being enqueued, for any relay.
SELECT {{schema}}.last_id() AS id

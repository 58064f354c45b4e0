-- Undo 0002.

ALTER TABLE {{schema}}.deferred DROP CONSTRAINT deferred_pkey, ADD PRIMARY KEY (subscription, id);
DROP INDEX {{schema}}.deferred_due;
CREATE INDEX deferred_due ON {{schema}}.deferred (subscription, destination, next_attempt_at);
DROP INDEX {{schema}}.deferred_key;
CREATE INDEX deferred_key ON {{schema}}.deferred (subscription, destination, key, id) WHERE ordered;

-- 0002 deferred_indexes: each index of deferred begins with a column of its own, so that a statement that names one of
-- them by its first column cannot be planned with another. When all began with the subscription, a plan made while the
-- table was small read the whole of it for each message, until the table was next analysed.

ALTER TABLE {{schema}}.deferred DROP CONSTRAINT deferred_pkey, ADD PRIMARY KEY (id, subscription);

-- What is due, and when the next one is.
DROP INDEX {{schema}}.deferred_due;
CREATE INDEX deferred_due ON {{schema}}.deferred (destination, subscription, next_attempt_at);

-- The queue of a key.
DROP INDEX {{schema}}.deferred_key;
CREATE INDEX deferred_key ON {{schema}}.deferred (key, destination, subscription, id) WHERE ordered;

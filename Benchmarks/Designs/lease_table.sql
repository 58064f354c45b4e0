-- A lease: a worker makes messages invisible for a while, and deletes what it has delivered. What it did not delete comes
-- back when the time is over. Workers look for what is there; nobody notifies.
CREATE TABLE {{schema}}.lease_message (
    id           bigint      NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    created_at   timestamptz NOT NULL DEFAULT now(),
    available_at timestamptz NOT NULL DEFAULT now(),
    attempts     integer     NOT NULL DEFAULT 0,
    destination  text        NOT NULL,
    key          text,
    payload      bytea       NOT NULL
);
CREATE INDEX lease_message_available ON {{schema}}.lease_message (available_at, id);

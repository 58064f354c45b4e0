-- What most would begin with: five columns and a primary key, nothing checked, nothing announced.
CREATE TABLE {{schema}}.plain_message (
    id          bigint      NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    created_at  timestamptz NOT NULL DEFAULT now(),
    destination text        NOT NULL,
    key         text,
    payload     bytea       NOT NULL
);

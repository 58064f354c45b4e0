-- The log's oid, which is in the name of its channel; null where there is no outbox.
SELECT to_regclass('{{schema_text}}.message')::oid::bigint

-- What a relay has to know of the database: whether the outbox is there and of which version, whether this is a primary,
-- and whether the constraint that makes headers readable is in force.
SELECT
    to_regclass('{{schema_text}}.message')::oid::bigint AS message,
    to_regclass('{{schema_text}}.migration')::oid::bigint AS migration,
    pg_is_in_recovery() AS standby,
    EXISTS (
        SELECT FROM pg_constraint
        WHERE conrelid = to_regclass('{{schema_text}}.message')
            AND conname = 'message_is_valid' AND convalidated
    ) AS headers_verified

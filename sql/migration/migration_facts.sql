-- What is in the schema of what an outbox would bring: its relations by name, whether the table of versions is one, and the
-- comment on that, which says again what was applied.
SELECT
    ARRAY(
        SELECT relname
        FROM pg_class
        WHERE relnamespace = to_regnamespace('{{schema_text}}')
            AND relname IN ('migration', 'message', 'stream', 'deferred', 'dead_letter', 'segment_number', 'segment',
                'idempotency', 'pending', 'lag')
        ORDER BY relname
    ) AS relations,
    (
        SELECT count(*) = 5
        FROM pg_attribute
        JOIN pg_class ON pg_class.oid = attrelid
        WHERE relnamespace = to_regnamespace('{{schema_text}}') AND relname = 'migration' AND NOT attisdropped
            AND (attname, atttypid) IN (
                ('version', 'integer'::regtype), ('name', 'text'::regtype), ('checksum', 'text'::regtype),
                ('readable_by', 'integer'::regtype), ('applied_at', 'timestamptz'::regtype)
            )
    ) AS has_versions,
    obj_description(to_regclass('{{schema_text}}.migration'), 'pg_class') AS comment

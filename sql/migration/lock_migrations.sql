-- One migrator at a time for each schema, to the end of the transaction. By name, because the schema may not exist yet.
SELECT pg_advisory_xact_lock(hashtextextended('outbox migration ' || '{{schema_text}}', 0))

-- The newest migration of the schema, and the oldest program that works with what has been applied.
SELECT coalesce(max(version), 0) AS version, coalesce(max(readable_by), 0) AS readable_by FROM {{schema}}.migration

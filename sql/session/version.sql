-- The newest migration of the schema.
SELECT coalesce(max(version), 0) FROM {{schema}}.migration

-- What has been applied.
SELECT version, name, checksum, readable_by, applied_at FROM {{schema}}.migration ORDER BY version

-- What has been applied.
SELECT version, name, checksum, applied_at FROM {{schema}}.migration ORDER BY version

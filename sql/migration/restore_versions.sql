-- Says again what has been applied, where the rows are gone and the structure is there. $1 versions, $2 names, $3 checksums,
-- $4 readable by.
INSERT INTO {{schema}}.migration (version, name, checksum, readable_by)
SELECT version, name, checksum, readable_by
FROM unnest($1::integer[], $2::text[], $3::text[], $4::integer[]) AS applied (version, name, checksum, readable_by)
ON CONFLICT DO NOTHING

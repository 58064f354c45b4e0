-- Which of some privileges a role lacks, by their places in the arrays. $1 the role; of each privilege: $2 what kind of object
-- it is for, $3 the object, $4 the privilege, $5 the column; null: the whole object.
SELECT wanted.place
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) WITH ORDINALITY
    AS wanted (kind, object, privilege, column_name, place)
WHERE NOT CASE
    WHEN wanted.kind = 'SCHEMA' THEN has_schema_privilege($1::text, wanted.object, wanted.privilege)
    WHEN wanted.kind = 'SEQUENCE' THEN has_sequence_privilege($1, wanted.object, wanted.privilege)
    WHEN wanted.kind = 'FUNCTION' THEN has_function_privilege($1, wanted.object, wanted.privilege)
    WHEN wanted.column_name IS NULL THEN has_table_privilege($1, wanted.object, wanted.privilege)
    ELSE has_column_privilege($1, wanted.object, wanted.column_name, wanted.privilege)
END
ORDER BY wanted.place

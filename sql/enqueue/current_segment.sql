-- The partition that new messages go to, as the default of the column has it. This and all other statements of this folder run
-- in an application's transaction, whose search_path is the application's own: every name in them is qualified.
SELECT coalesce(
    pg_catalog.pg_sequence_last_value('{{schema_text}}.segment_number'::pg_catalog.regclass),
    CASE
        WHEN pg_catalog.has_sequence_privilege(
            '{{schema_text}}.segment_number'::pg_catalog.regclass, 'SELECT, USAGE'::pg_catalog.text)
        THEN 0
    END
)::pg_catalog.int2

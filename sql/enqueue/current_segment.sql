-- The partition that new messages go to, as the default of the column has it. This and all other statements of this folder run
-- in an application's transaction, whose search_path is the application's own: every name in them is qualified.
SELECT coalesce(pg_catalog.pg_sequence_last_value('{{schema_text}}.segment_number'::pg_catalog.regclass), 0)::pg_catalog.int2

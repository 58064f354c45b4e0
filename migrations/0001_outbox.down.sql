-- Undo 0001: everything in it, undelivered messages included. What others have put into the schema stays, and with it
-- the schema; what others have built upon the outbox (views, foreign keys) is in the way until they remove it.

DROP TABLE
    {{schema}}.message, {{schema}}.stream, {{schema}}.deferred, {{schema}}.dead_letter, {{schema}}.migration;
DROP SEQUENCE {{schema}}.segment_number;
DROP FUNCTION
    {{schema}}.enqueue(text, bytea, text, text, jsonb, timestamptz, jsonb),
    {{schema}}.enqueue(text, text, text, text, jsonb, timestamptz, jsonb),
    {{schema}}.enqueue(text, jsonb, text, text, jsonb, timestamptz, jsonb),
    {{schema}}.ring(), {{schema}}.ring_deferred(), {{schema}}.announce_dead_letter();

DO $outbox$
BEGIN
    IF '{{schema_text}}' <> '"public"' THEN
        DROP SCHEMA {{schema}} RESTRICT;
    END IF;
EXCEPTION
    -- Something of others is in it, or an administrator had made it.
    WHEN dependent_objects_still_exist OR insufficient_privilege THEN NULL;
END
$outbox$;

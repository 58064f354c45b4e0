-- Undo 0001: everything in it, undelivered messages included. What others have put into the schema stays, and with it the
-- schema; what others have built upon the outbox (views, foreign keys) is in the way until they remove it.
--
-- The search_path as in the other file, because the types of functions' parameters are looked up too.
SELECT pg_catalog.set_config('outbox.search_path', pg_catalog.current_setting('search_path'), false);
SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', false)
WHERE pg_catalog.current_setting('search_path') OPERATOR(pg_catalog.<>) 'pg_catalog, pg_temp';

DROP VIEW {{schema}}.lag, {{schema}}.pending;
DROP FUNCTION {{schema}}.stream_lag(), {{schema}}.truncate_segment(smallint), {{schema}}.segment_is_passed(smallint);
DROP FUNCTION
    {{schema}}.enqueue(text, text, text, text, jsonb, timestamptz, jsonb, text, interval),
    {{schema}}.enqueue(text, json, text, text, jsonb, timestamptz, jsonb, text, interval),
    {{schema}}.enqueue(text, jsonb, text, text, jsonb, timestamptz, jsonb, text, interval),
    {{schema}}.enqueue(text, bytea, text, text, jsonb, timestamptz, jsonb, text, interval),
    {{schema}}.enqueue(text, anyelement, anycompatible, text, jsonb, timestamptz, jsonb, text, interval),
    {{schema}}.enqueue(text, text, anyelement, text, jsonb, timestamptz, jsonb, text, interval);
DROP TABLE
    {{schema}}.message, {{schema}}.segment, {{schema}}.stream, {{schema}}.deferred, {{schema}}.dead_letter,
    {{schema}}.idempotency, {{schema}}.migration;
DROP SEQUENCE {{schema}}.segment_number;
DROP FUNCTION
    {{schema}}.ring(), {{schema}}.ring_deferred(), {{schema}}.ring_stream(), {{schema}}.count_generation(),
    {{schema}}.announce_dead_letter(), {{schema}}.slot(text, bigint),
    {{schema}}.message_is_valid(text, text, text, jsonb, jsonb, bytea),
    {{schema}}.examine_message(text, text, text, jsonb, jsonb, bytea);

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

SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('outbox.search_path'), true);
SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('outbox.search_path'), false)
WHERE pg_catalog.current_setting('search_path') OPERATOR(pg_catalog.<>) pg_catalog.current_setting('outbox.search_path');

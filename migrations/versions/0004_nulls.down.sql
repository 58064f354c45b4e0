-- Back to 0003: no column of a message may be null, and the function is as it was.
SELECT pg_catalog.set_config('outbox.search_path', pg_catalog.current_setting('search_path'), false);
SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', false)
WHERE pg_catalog.current_setting('search_path') OPERATOR(pg_catalog.<>) 'pg_catalog, pg_temp';

ALTER TABLE {{schema}}.message ALTER COLUMN destination SET NOT NULL, ALTER COLUMN payload SET NOT NULL;

CREATE OR REPLACE FUNCTION {{schema}}.examine_message(
    destination text, route text, key text, headers jsonb, options jsonb, payload bytea
) RETURNS boolean LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $outbox$
DECLARE
    field  text;
    reason text;
    number numeric;
BEGIN
    IF octet_length(destination) NOT BETWEEN 1 AND 255 THEN
        field := 'destination';
        reason := format('has %s bytes; 1 to 255 are allowed', octet_length(destination));
    ELSIF octet_length(route) NOT BETWEEN 1 AND 1024 THEN
        field := 'route';
        reason := format('has %s bytes; 1 to 1024 are allowed, or null', octet_length(route));
    ELSIF octet_length(key) NOT BETWEEN 1 AND 1024 THEN
        field := 'key';
        reason := format('has %s bytes; 1 to 1024 are allowed, or null', octet_length(key));
    ELSIF octet_length(payload) > 67108864 THEN
        field := 'payload';
        reason := format('has %s bytes; at most 67108864 are allowed', octet_length(payload));
    ELSIF jsonb_typeof(headers) <> 'object' OR jsonb_path_exists(headers, 'strict $.* ? (@.type() != "string")') THEN
        field := 'headers';
        reason := 'is not an object of strings';
    ELSIF octet_length(headers::text) > 65536 THEN
        field := 'headers';
        reason := format('has %s bytes as text; at most 65536 are allowed', octet_length(headers::text));
    ELSIF jsonb_typeof(options) <> 'object' OR options - 'max_attempts' - 'max_delay' <> '{}' THEN
        field := 'options';
        reason := 'is not an object that has no other names than max_attempts and max_delay';
    ELSIF octet_length(options::text) > 1024 THEN
        field := 'options';
        reason := 'has more than 1024 bytes as text';
    END IF;

    IF reason IS NULL AND getdatabaseencoding() <> 'UTF8' THEN
        BEGIN
            field := 'destination';
            PERFORM convert_to(destination, 'UTF8');
            field := 'route';
            PERFORM convert_to(route, 'UTF8');
            field := 'key';
            PERFORM convert_to(key, 'UTF8');
            field := 'headers';
            PERFORM convert_to(headers::text, 'UTF8');
        EXCEPTION
            WHEN character_not_in_repertoire OR untranslatable_character THEN
                reason := 'has a character that cannot be converted to UTF-8';
        END;
    END IF;

    IF reason IS NULL AND options ? 'max_attempts' THEN
        number := CASE jsonb_typeof(options -> 'max_attempts') WHEN 'number' THEN options ->> 'max_attempts' END;
        IF number IS NULL OR number NOT BETWEEN 1 AND 2147483647 OR number <> trunc(number) OR scale(number) > 100 THEN
            field := 'options';
            reason := 'has a max_attempts that is not a whole number from 1 to 2147483647';
        END IF;
    END IF;
    IF reason IS NULL AND options ? 'max_delay' THEN
        number := CASE jsonb_typeof(options -> 'max_delay') WHEN 'number' THEN options ->> 'max_delay' END;
        IF number IS NULL OR number NOT BETWEEN 0 AND 1000000000 OR scale(number) > 100 THEN
            field := 'options';
            reason := 'has a max_delay that is not a number of seconds from 0 to 1000000000';
        END IF;
    END IF;

    IF reason IS NULL THEN
        RETURN true;
    END IF;
    RAISE EXCEPTION 'invalid message: % %', field, reason USING
        ERRCODE = 'check_violation', SCHEMA = (parse_ident('{{schema_text}}'))[1], TABLE = 'message', COLUMN = field,
        CONSTRAINT = 'message_is_valid';
END
$outbox$;

SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('outbox.search_path'), true);
SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('outbox.search_path'), false)
WHERE pg_catalog.current_setting('search_path') OPERATOR(pg_catalog.<>) pg_catalog.current_setting('outbox.search_path');

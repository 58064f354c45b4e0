-- How many microseconds of the server one INSERT of a row takes, in a loop inside it: no network, no commit, no parsing.
-- {{table}} stands for the table.
CREATE FUNCTION {{schema}}.insert_{{table}}(rows integer, size integer) RETURNS double precision LANGUAGE plpgsql AS $outbox$
DECLARE
    payload bytea := decode(repeat('78', size), 'hex');
    began timestamptz;
BEGIN
    -- Twice, because the first times make the plan.
    FOR pass IN 1..2 LOOP
        began := clock_timestamp();
        FOR number IN 1..CASE pass WHEN 1 THEN 100 ELSE rows END LOOP
            INSERT INTO {{schema}}.{{table}} (destination, key, payload) VALUES ('bench', 'key-' || number % 10000, payload);
        END LOOP;
    END LOOP;
    RETURN extract(epoch FROM clock_timestamp() - began) * 1000000 / rows;
END
$outbox$;

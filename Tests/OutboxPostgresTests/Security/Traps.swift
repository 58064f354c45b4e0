import OutboxPostgres

/// A schema that has a function, an operator, a type, a table or a view of each name that the server has, and raises an error
/// wherever one of them is used.
enum Traps {
    /// Makes the schema `traps` in the database of a connection. Errors of single objects are passed over: not every function
    /// can be made by everyone.
    static func set(on connection: LibPQConnection) async throws {
        try await connection.execute(script: Self.functions)
        try await connection.execute(script: Self.operators)
        try await connection.execute(script: Self.relations)
        try await connection.execute(script: Self.types)
    }

    /// How many were used.
    static func sprung(on connection: LibPQConnection) async throws -> Int64 {
        try await connection.query(
            """
            SELECT coalesce(pg_catalog.pg_sequence_last_value('traps.sprung'::pg_catalog.regclass), 0)
            """)[0].decode(0)
    }

    /// The sequence counts those whose transaction is rolled back, too.
    private static let functions = #"""
        CREATE SCHEMA traps;
        GRANT USAGE ON SCHEMA traps TO PUBLIC;
        CREATE SEQUENCE traps.sprung;
        GRANT USAGE ON SEQUENCE traps.sprung TO PUBLIC;
        CREATE FUNCTION traps.spring(name text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
        BEGIN
            PERFORM pg_catalog.nextval('traps.sprung');
            RAISE EXCEPTION 'trap: %', name;
        END $$;

        -- Of each function one with the same parameters, which precedes it.
        DO $do$
        DECLARE
            candidate record;
        BEGIN
            FOR candidate IN
                SELECT DISTINCT ON (proname, arguments) * FROM (
                    SELECT
                        proname, pg_get_function_identity_arguments(oid) AS arguments, pg_get_function_result(oid) AS result
                    FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND prokind = 'f'
                    UNION ALL
                    -- Of those that take anything, which has to be written in C, some that fit better.
                    SELECT proname, unnest(ARRAY[
                        'text', 'text, text', 'text, text, text', 'text, text, text, text', 'text, integer', 'text, oid',
                        'oid', 'integer', 'bigint', 'boolean', 'jsonb', 'timestamptz', 'regprocedure', 'text, name, name']),
                        pg_get_function_result(oid)
                    FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND prokind = 'f' AND 2276 = ANY (proargtypes)
                    UNION ALL
                    SELECT name, parameters, result
                    FROM unnest(
                        ARRAY['unnest', 'coalesce', 'least', 'greatest', 'nullif'],
                        ARRAY['anyarray, anyarray', 'text, text', 'bigint, bigint', 'bigint, bigint', 'text, text'],
                        ARRAY['SETOF record', 'text', 'bigint', 'bigint', 'text']
                    ) AS other (name, parameters, result)
                ) AS functions
            LOOP
                BEGIN
                    EXECUTE format(
                        'CREATE FUNCTION traps.%I(%s) RETURNS %s LANGUAGE plpgsql AS $t$ BEGIN PERFORM traps.spring(%L); END $t$',
                        candidate.proname, candidate.arguments, candidate.result, candidate.proname);
                EXCEPTION WHEN OTHERS THEN NULL;
                END;
            END LOOP;
        END $do$;

        CREATE FUNCTION traps.step(bigint, anyelement) RETURNS bigint LANGUAGE plpgsql
            AS $$ BEGIN PERFORM traps.spring('an aggregate'); END $$;
        CREATE FUNCTION traps.step(bigint) RETURNS bigint LANGUAGE plpgsql
            AS $$ BEGIN PERFORM traps.spring('count'); END $$;
        CREATE AGGREGATE traps.count(*) (SFUNC = traps.step, STYPE = bigint, INITCOND = '0');
        DO $do$
        DECLARE
            name text;
            type text;
        BEGIN
            FOREACH name IN ARRAY ARRAY['min', 'max', 'sum', 'count', 'array_agg', 'bool_or', 'bool_and'] LOOP
                FOREACH type IN ARRAY ARRAY['smallint', 'integer', 'bigint', 'text', 'timestamptz', 'boolean', 'oid'] LOOP
                    EXECUTE format(
                        'CREATE AGGREGATE traps.%I(%s) (SFUNC = traps.step, STYPE = bigint, INITCOND = ''0'')', name, type);
                END LOOP;
            END LOOP;
        END $do$;
        """#

    /// For each pair of types, exact matches, where the server itself would convert one side.
    private static let operators = #"""
        DO $do$
        DECLARE
            types text[] := ARRAY[
                'smallint', 'integer', 'bigint', 'oid', 'text', 'varchar', 'name', 'boolean', 'bytea', 'jsonb', 'timestamptz',
                'interval', 'xid8', 'pg_snapshot', 'regclass', 'numeric', 'double precision', '"char"', 'text[]', 'bigint[]',
                'tid[]', 'tid'];
            lhs text;
            rhs text;
            name text;
            kind text;
        BEGIN
            FOREACH lhs IN ARRAY types LOOP
                FOREACH rhs IN ARRAY types LOOP
                    EXECUTE format(
                        'CREATE FUNCTION traps.compare(%1$s, %2$s) RETURNS boolean LANGUAGE plpgsql
                            AS $t$ BEGIN PERFORM traps.spring(''%1$s = %2$s''); END $t$;
                         CREATE FUNCTION traps.compute(%1$s, %2$s) RETURNS %1$s LANGUAGE plpgsql
                            AS $t$ BEGIN PERFORM traps.spring(''%1$s + %2$s''); END $t$;
                         CREATE FUNCTION traps.concatenate(%1$s, %2$s) RETURNS text LANGUAGE plpgsql
                            AS $t$ BEGIN PERFORM traps.spring(''%1$s || %2$s''); END $t$', lhs, rhs);
                    FOREACH name IN ARRAY ARRAY[
                        '=', '<>', '<', '<=', '>', '>=', '~~', '!~~', '?', '@>', '+', '-', '*', '/', '%', '&', '||', '->', '->>']
                    LOOP
                        kind := CASE
                            WHEN name IN ('||', '->>') THEN 'concatenate'
                            WHEN name IN ('+', '-', '*', '/', '%', '&', '->') THEN 'compute'
                            ELSE 'compare'
                        END;
                        EXECUTE format(
                            'CREATE OPERATOR traps.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = traps.%s)', name, lhs, rhs, kind);
                    END LOOP;
                END LOOP;
            END LOOP;
        END $do$;
        """#

    private static let relations = #"""
        DO $do$
        DECLARE
            relation name;
        BEGIN
            FOR relation IN
                SELECT relname FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind IN ('r', 'v')
            LOOP
                EXECUTE format('CREATE TABLE traps.%I (trap integer)', relation);
            END LOOP;
        END $do$;
        """#

    /// Last: from here on the names mean these in whatever has the schema in front.
    private static let types = #"""
        CREATE FUNCTION traps.refuse(name text) RETURNS boolean LANGUAGE plpgsql
            AS $$ BEGIN PERFORM traps.spring('type ' || name); END $$;
        DO $do$
        DECLARE
            type name;
        BEGIN
            FOREACH type IN ARRAY ARRAY[
                'text', 'bytea', 'jsonb', 'json', 'xid8', 'pg_snapshot', 'timestamptz', 'oid', 'regclass', 'regprocedure',
                'regnamespace', 'regtype', 'name', 'tid', 'int2', 'int4', 'int8', 'numeric', 'bool', 'interval']
            LOOP
                EXECUTE format(
                    'CREATE DOMAIN traps.%1$I AS pg_catalog.%1$I CHECK (traps.refuse(%1$L::pg_catalog.text))', type);
            END LOOP;
        END $do$;
        """#
}

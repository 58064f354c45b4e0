import OutboxPostgres

/// The outbox of a run in its database, and what the test has put beside it: which messages were committed, and a trigger
/// that refuses the relay's commits.
struct FaultyOutbox: Sendable {
    static let schema = "faults"

    /// Past the proxy.
    let url: String
    let admin: Administrator

    /// Not a relay's commit: those of relays alone are refused, and at their end, when all their statements have worked.
    static let setUp = """
        CREATE TABLE public.committed (tag bigint, destination text, key text, word text, n bigint);
        CREATE TABLE public.dead (tag bigint, reason text);
        CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO public.committed (tag, destination, key, n, word)
            SELECT words[1]::bigint, destination, key, words[2]::bigint, words[3]
            FROM (
                SELECT destination, key, string_to_array(convert_from(payload, 'UTF8'), ' ') AS words FROM inserted
            ) AS messages;
            RETURN NULL;
        END $$;
        CREATE TRIGGER note AFTER INSERT ON \(schema).message REFERENCING NEW TABLE AS inserted
            FOR EACH STATEMENT EXECUTE FUNCTION public.note();

        CREATE TABLE public.refusal (code text NOT NULL, chance double precision NOT NULL);
        CREATE SEQUENCE public.refusals;
        CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
        DECLARE
            refused text;
        BEGIN
            IF current_setting('application_name') LIKE 'outbox relay%' THEN
                SELECT code INTO refused FROM public.refusal WHERE random() < chance;
                IF FOUND THEN
                    PERFORM nextval('public.refusals');
                    RAISE EXCEPTION 'refused by the test' USING ERRCODE = refused;
                END IF;
            END IF;
            RETURN NULL;
        END $$;
        CREATE CONSTRAINT TRIGGER refuse AFTER INSERT OR UPDATE ON \(schema).stream
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.refuse();
        CREATE CONSTRAINT TRIGGER refuse AFTER INSERT OR UPDATE OR DELETE ON \(schema).deferred
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.refuse();
        CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON \(schema).dead_letter
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.refuse();
        """

    /// The first column of the first row.
    func number(_ statement: String) async throws -> Int {
        let rows = try await self.admin.query(LibPQStatement(statement, []))
        return Int(try rows[0].decode(0, as: Int64?.self) ?? 0)
    }

    /// What waits in the log, as far as the cursors say, and what is deferred.
    func left() async throws -> Int {
        try await self.number(
            """
            SELECT (SELECT coalesce(sum(messages), 0) FROM \(Self.schema).lag)::bigint
                + (SELECT count(*) FROM \(Self.schema).deferred)
            """)
    }

    /// How many commits were refused.
    func refusals() async throws -> Int {
        try await self.number("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM public.refusals")
    }

    /// Takes note of the dead letters and removes them: messages with their numbers may come.
    func archiveDeadLetters() async throws {
        try await self.admin.execute(
            script: """
                WITH gone AS (DELETE FROM \(Self.schema).dead_letter RETURNING payload, reason)
                INSERT INTO public.dead SELECT split_part(convert_from(payload, 'UTF8'), ' ', 1)::bigint, reason FROM gone
                """)
    }

    /// The tags of a query.
    func tags(_ statement: String) async throws -> Set<Int64> {
        let rows = try await self.admin.query(LibPQStatement(statement, []))
        return Set(try rows.map { row in try row.decode(0, as: Int64.self) })
    }

    /// Messages, for a failure's report.
    func describe(_ tags: some Collection<Int64>) async throws -> String {
        let rows = try await self.admin.query(
            LibPQStatement(
                "SELECT row::text FROM public.committed AS row WHERE tag = ANY ($1::bigint[])",
                [.int8Array(Array(tags))]))
        return try rows.map { row in try row.decode(0, as: String.self) }.joined(separator: " ")
    }

    /// The tags of all messages that were committed.
    func committed() async throws -> Set<Int64> { try await self.tags("SELECT tag FROM public.committed") }

    /// Those that a handler refuses, which is what a dead letter has to be.
    func doomed() async throws -> Set<Int64> {
        try await self.tags("SELECT tag FROM public.committed WHERE word IS NOT NULL")
    }

    /// Those that are dead.
    func dead() async throws -> Set<Int64> {
        try await self.archiveDeadLetters()
        return try await self.tags("SELECT tag FROM public.dead")
    }

    /// The numbers of each key that a handler refuses.
    func doomedNumbers() async throws -> [String: Set<Int>] {
        let rows = try await self.admin.query(
            LibPQStatement(
                "SELECT destination || ' ' || key, n FROM public.committed WHERE word IS NOT NULL AND n IS NOT NULL", []
            ))
        var numbers: [String: Set<Int>] = [:]
        for row in rows {
            numbers[try row.decode(0, as: String.self), default: []].insert(Int(try row.decode(1, as: Int64.self)))
        }
        return numbers
    }
}

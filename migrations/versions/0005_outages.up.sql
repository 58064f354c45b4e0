-- 0005 outages: why a stream's destination is down and since when, where an operator looks; deferred messages count in the view lag; and a
-- message can die while the server's queue of notifications is full.

SELECT pg_catalog.set_config('outbox.search_path', pg_catalog.current_setting('search_path'), false);
SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', false)
WHERE pg_catalog.current_setting('search_path') OPERATOR(pg_catalog.<>) 'pg_catalog, pg_temp';

-- The lock of the view before that of the table: who reads the view takes them in that order.
CREATE OR REPLACE VIEW {{schema}}.lag AS
SELECT subscription, destination, slot_low, slot_high, messages, seconds
FROM {{schema}}.stream_lag();

-- Written by the relay that has the stream, when that changes; it says nothing of a stream that no relay has. What is down at this
-- moment is what that relay says in its session's name.
ALTER TABLE {{schema}}.stream
    ADD COLUMN down_since timestamptz,
    ADD COLUMN down_reason text;

-- As before, and not into a queue that fills up: the transaction that notifies is refused then at its commit, and with it that the message
-- is one that is not tried again, which would stop its stream.
CREATE OR REPLACE FUNCTION {{schema}}.announce_dead_letter() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $outbox$
BEGIN
    IF pg_notification_queue_usage() < 0.9 THEN
        PERFORM pg_notify('outbox_dead_letter_' || '{{schema_text}}.message'::regclass::oid, destination)
        FROM (SELECT DISTINCT destination FROM inserted) AS destinations;
    END IF;
    RETURN NULL;
END
$outbox$;

-- Of each stream how many messages wait for a later attempt or for their time, counted up to 1,000,000, and how long ago the oldest
-- should have been delivered; null: none should have. One that waits for its time, and has not failed, is not late. A function, for the reasons that
-- stream_lag is one.
CREATE FUNCTION {{schema}}.deferred_lag(
    OUT stream integer, OUT messages bigint, OUT seconds double precision
) RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET row_security = off
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_sort = off
SET max_parallel_workers_per_gather = 0
SET jit = off
AS $outbox$
    SELECT stream.id, waiting.messages, extract(epoch FROM now() - waiting.since)::double precision
    FROM {{schema}}.stream
    CROSS JOIN LATERAL (
        SELECT
            count(*) AS messages,
            nullif(nullif(min(greatest(counted.created_at, counted.deliver_at)) FILTER (
                WHERE counted.attempts > 0 OR counted.last_error IS NOT NULL OR counted.deliver_at IS NULL OR counted.deliver_at < now()
            ), 'infinity'), '-infinity') AS since
        FROM (
            SELECT deferred.created_at, deferred.deliver_at, deferred.attempts, deferred.last_error
            FROM {{schema}}.deferred
            WHERE deferred.destination = stream.destination AND deferred.subscription = stream.subscription
                AND {{schema}}.slot(deferred.key, deferred.id) BETWEEN stream.slot_low AND stream.slot_high
            LIMIT 1000000
        ) AS counted
    ) AS waiting
$outbox$;

-- messages: in the log. deferred: those that wait for a later attempt or for their time. seconds: how long ago the oldest of both should have
-- been delivered. down_since and down_reason: of the last outage that is not over, as the relay wrote it.
CREATE OR REPLACE VIEW {{schema}}.lag AS
SELECT
    lag.subscription, lag.destination, lag.slot_low, lag.slot_high, lag.messages,
    greatest(lag.seconds, waiting.seconds, 0) AS seconds, waiting.messages AS deferred, stream.down_since, stream.down_reason
FROM {{schema}}.stream_lag() AS lag
JOIN {{schema}}.stream USING (subscription, destination, slot_low)
JOIN {{schema}}.deferred_lag() AS waiting ON waiting.stream = stream.id;

-- Who could ask for the lag can ask for this.
REVOKE ALL ON FUNCTION {{schema}}.deferred_lag() FROM PUBLIC;
DO $outbox$
DECLARE
    given record;
BEGIN
    FOR given IN
        SELECT DISTINCT acl.grantee::regrole AS role
        FROM pg_proc
        CROSS JOIN LATERAL aclexplode(proacl) AS acl
        WHERE pronamespace = '{{schema_text}}'::regnamespace AND proname = 'stream_lag' AND acl.grantee <> 0
    LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s.deferred_lag() TO %s', '{{schema_text}}', given.role);
    END LOOP;
END
$outbox$;

SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('outbox.search_path'), true);
SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('outbox.search_path'), false)
WHERE pg_catalog.current_setting('search_path') OPERATOR(pg_catalog.<>) pg_catalog.current_setting('outbox.search_path');

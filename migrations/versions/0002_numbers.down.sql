-- Back to 0001: the function as it was there, and what 0002 added is gone.
SELECT pg_catalog.set_config('outbox.search_path', pg_catalog.current_setting('search_path'), false);
SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', false)
WHERE pg_catalog.current_setting('search_path') OPERATOR(pg_catalog.<>) 'pg_catalog, pg_temp';

CREATE OR REPLACE FUNCTION {{schema}}.segment_is_passed(number smallint) RETURNS boolean LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = 'force_custom_plan'
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET enable_sort = off SET max_parallel_workers_per_gather = 0 SET jit = off
AS $outbox$
BEGIN
    RETURN NOT EXISTS (
        -- The index is not read through but jumped through: one step per destination.
        WITH RECURSIVE present (destination) AS (
            (
                SELECT message.destination FROM {{schema}}.message
                WHERE message.segment = segment_is_passed.number
                ORDER BY message.destination LIMIT 1
            )
            UNION ALL
            SELECT (
                SELECT message.destination FROM {{schema}}.message
                WHERE message.segment = segment_is_passed.number AND message.destination > present.destination
                ORDER BY message.destination LIMIT 1
            )
            FROM present
            WHERE present.destination IS NOT NULL
        )
        SELECT FROM present
        WHERE present.destination IS NOT NULL AND (
            NOT EXISTS (SELECT FROM {{schema}}.stream WHERE stream.destination = present.destination)
            OR EXISTS (
                SELECT FROM {{schema}}.stream WHERE stream.destination = present.destination
                GROUP BY stream.subscription
                HAVING NOT range_agg(int4range(stream.slot_low, stream.slot_high + 1)) @> int4range(0, 1024)
            )
            OR EXISTS (
                SELECT FROM {{schema}}.stream
                WHERE stream.destination = present.destination AND (
                    -- Fresh.
                    EXISTS (
                        SELECT FROM {{schema}}.message
                        WHERE message.segment = segment_is_passed.number
                            AND message.destination = stream.destination AND message.id > stream.position
                            AND {{schema}}.slot(message.key, message.id) BETWEEN stream.slot_low AND stream.slot_high
                    )
                    -- Late, in two branches as in read_late; less what a late part that is being paged through has brought.
                    OR EXISTS (
                        SELECT FROM {{schema}}.message
                        WHERE message.segment = segment_is_passed.number
                            AND message.xid = ANY (ARRAY(SELECT pg_snapshot_xip(stream.snapshot)))
                            AND message.id + 0 <= stream.position
                            AND message.destination IS NOT DISTINCT FROM stream.destination
                            AND {{schema}}.slot(message.key, message.id)::integer BETWEEN stream.slot_low AND stream.slot_high
                            AND NOT coalesce(
                                message.id + 0 <= stream.catchup_position
                                AND pg_visible_in_snapshot(message.xid, stream.catchup_snapshot), false)
                    )
                    OR EXISTS (
                        SELECT FROM {{schema}}.message
                        WHERE message.segment = segment_is_passed.number
                            AND message.xid >= pg_snapshot_xmax(stream.snapshot) AND message.xid < stream.horizon
                            AND message.id + 0 <= stream.position
                            AND message.destination IS NOT DISTINCT FROM stream.destination
                            AND {{schema}}.slot(message.key, message.id)::integer BETWEEN stream.slot_low AND stream.slot_high
                            AND NOT coalesce(
                                message.id + 0 <= stream.catchup_position
                                AND pg_visible_in_snapshot(message.xid, stream.catchup_snapshot), false)
                    )
                    -- The numbers of the log have begun again and no session has begun since (see restart): then not even
                    -- the first message was seen by the cursor. One with a number that this server has not reached came
                    -- with a dump, and was passed unless it is late.
                    OR NOT coalesce((
                        SELECT
                            pg_visible_in_snapshot(message.xid, stream.snapshot)
                            OR coalesce(
                                message.id <= stream.catchup_position
                                AND pg_visible_in_snapshot(message.xid, stream.catchup_snapshot), false)
                            OR message.xid >= pg_snapshot_xmax(pg_current_snapshot())
                        FROM {{schema}}.message
                        WHERE message.segment = segment_is_passed.number AND message.destination = stream.destination
                            AND {{schema}}.slot(message.key, message.id) BETWEEN stream.slot_low AND stream.slot_high
                        ORDER BY message.id
                        LIMIT 1
                    ), true)
                )
            )
        )
    );
END
$outbox$;

ALTER FUNCTION {{schema}}.truncate_segment(smallint) RESET row_security;
ALTER FUNCTION {{schema}}.stream_lag() RESET row_security;
DROP FUNCTION {{schema}}.skip_ids_after_restart();
DROP FUNCTION {{schema}}.ids_rise();
DROP FUNCTION {{schema}}.last_id();
DROP TABLE {{schema}}.numbering;

SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('outbox.search_path'), true);
SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('outbox.search_path'), false)
WHERE pg_catalog.current_setting('search_path') OPERATOR(pg_catalog.<>) pg_catalog.current_setting('outbox.search_path');

-- Where ids and transaction numbers are not as cursors take them to be: what, what mends it (null: the migration that made it), and
-- whether messages are lost or come in a wrong order for it. Ids rise with the numbers of transactions, one by one; no stream's position is above the last
-- id, nor its snapshot above the next transaction number with messages below that may be newer; no transaction from its horizon
-- on has an id that it has passed. The last two are looked for as in the view pending, not in all that came since for each stream.
SELECT
    'ids are drawn ' || seqcache || ' at a time (CACHE), so messages of a key may be delivered in a wrong order' AS seen,
    'ALTER TABLE {{schema_text}}.message ALTER id SET CACHE 1; then end the sessions that have drawn ids' AS mend, true AS is_error
FROM pg_sequence
WHERE seqrelid = pg_get_serial_sequence('{{schema_text}}.message', 'id')::regclass AND seqcache > 1
UNION ALL
SELECT
    'ids fall (INCREMENT ' || seqincrement || '), so messages have no order',
    'ALTER TABLE {{schema_text}}.message ALTER id SET INCREMENT BY 1', true
FROM pg_sequence
WHERE seqrelid = pg_get_serial_sequence('{{schema_text}}.message', 'id')::regclass AND seqincrement < 0
UNION ALL
SELECT
    'ids begin again at their end (CYCLE)', 'ALTER TABLE {{schema_text}}.message ALTER id SET NO CYCLE', false
FROM pg_sequence
WHERE seqrelid = pg_get_serial_sequence('{{schema_text}}.message', 'id')::regclass AND seqcycle
UNION ALL
SELECT 'the column id of message draws from no sequence of its own', NULL, true
WHERE pg_get_serial_sequence('{{schema_text}}.message', 'id') IS NULL
UNION ALL
SELECT
    format('the stream of %s (%s) stands at %s, above the last id, %s: ids began again', stream.destination, stream.subscription, stream.position, last.id),
    'A relay reads what came since when its next session begins: restart the one that works.', false
FROM {{schema}}.stream
CROSS JOIN (SELECT {{schema}}.last_id() AS id OFFSET 0) AS last
WHERE stream.position > last.id
UNION ALL
SELECT
    format(
        CASE
            WHEN pg_snapshot_xmax(stream.snapshot) > pg_snapshot_xmax(pg_current_snapshot())
            THEN 'the cursor of %s (%s) is of a server whose transaction numbers were higher, and may have passed messages of this one'
            ELSE 'messages for %s (%s) came after its cursor with ids that it has passed: ids were set back'
        END,
        stream.destination, stream.subscription),
    'A relay reads them when its next session begins: restart the one that works.', true
FROM {{schema}}.stream
{{overlooked_way}}
-- While a late part is paged through, what is late for its pinned snapshot is behind the horizon too, and is read in its turn.
WHERE (stream.catchup_snapshot IS NULL OR stream.horizon > since.xid) AND EXISTS (
    {{overlooked}}
)
UNION ALL
SELECT
    'the log is written by a subscription of logical replication, with the numbers of another server',
    'Let no relay deliver here before it has been dropped: DROP SUBSCRIPTION.', true
WHERE EXISTS (
    SELECT FROM pg_subscription_rel
    WHERE srrelid = '{{schema_text}}.message'::regclass
        OR srrelid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = '{{schema_text}}.message'::regclass)
)

-- What has become of the log's numbers since a relay last began: the id that they go on behind if they were skipped, the last
-- id, and whether ids rise with the numbers of transactions. A subquery each, in this order.
SELECT skipped.to_id, {{schema}}.last_id() AS last_id, {{schema}}.ids_rise() AS ids_rise, increment.value AS increment
FROM (SELECT {{schema}}.skip_ids_after_restart() AS to_id OFFSET 0) AS skipped
CROSS JOIN LATERAL (
    SELECT seqincrement AS value
    FROM pg_sequence
    WHERE seqrelid = pg_get_serial_sequence('{{schema_text}}.message', 'id')::regclass
) AS increment

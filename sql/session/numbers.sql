-- What has become of the log's numbers since a relay last began: the id that they go on behind if they were skipped, the last
-- id, whether ids rise with the numbers of transactions, by what they do, and where the sequence is stored.
SELECT skipped.to_id, {{schema}}.last_id() AS last_id, {{schema}}.ids_rise() AS ids_rise, increment.value AS increment,
    pg_relation_filenode(pg_get_serial_sequence('{{schema_text}}.message', 'id')::regclass)::bigint AS filenode
FROM (SELECT {{schema}}.skip_ids_after_restart() AS to_id OFFSET 0) AS skipped
LEFT JOIN LATERAL (
    SELECT seqincrement AS value
    FROM pg_sequence
    WHERE seqrelid = pg_get_serial_sequence('{{schema_text}}.message', 'id')::regclass
) AS increment ON true

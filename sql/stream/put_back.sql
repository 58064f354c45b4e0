-- Streams are read again from the cursors that they had when the session began, and all that their snapshots do not see is late.
-- $1 ids, $2 snapshots, $3 positions, $4 generations: where another session has put a cursor elsewhere, it stays there.
UPDATE {{schema}}.stream
SET snapshot = known.snapshot, position = known.position, horizon = pg_current_xact_id(), catchup_snapshot = NULL,
    catchup_position = NULL
FROM unnest($1::integer[], $2::pg_snapshot[], $3::bigint[], $4::integer[]) AS known (id, snapshot, position, generation)
WHERE stream.id = known.id AND stream.generation = known.generation

-- Undo 0003. The log stays as it is, whichever segment is current.

DROP TRIGGER doorbell ON {{schema}}.stream;
DROP TRIGGER generation ON {{schema}}.stream;
DROP FUNCTION {{schema}}.ring_stream(), {{schema}}.count_generation();
ALTER TABLE {{schema}}.stream DROP COLUMN generation;
DROP FUNCTION {{schema}}.truncate_segment(smallint), {{schema}}.segment_is_passed(smallint);
DROP TABLE {{schema}}.segment;

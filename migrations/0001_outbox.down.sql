-- Undo 0001: the schema and everything in it, undelivered messages included.

DROP SCHEMA {{schema}} CASCADE;

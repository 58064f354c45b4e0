-- All of a poll sees one snapshot.
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY

-- What the relay is doing, where every role can read it: it writes no row and no WAL, and reading needs no privilege.
-- $1 the session's name.
SELECT set_config('application_name', $1, false)

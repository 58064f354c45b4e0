-- What the relay is doing, where whoever watches can read it: no row, no WAL, and nobody needs a privilege to see it.
-- $1 the session's name.
SELECT set_config('application_name', $1, false)

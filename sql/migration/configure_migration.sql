-- A migration means the same whatever the session is set to: names are qualified, backslashes in literals are themselves.
SELECT set_config('search_path', '', true), set_config('standard_conforming_strings', 'on', true)

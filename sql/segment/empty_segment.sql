-- In the server, in one step: see the function. $1 segment.
SELECT {{schema}}.truncate_segment($1)

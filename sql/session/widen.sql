-- libpq reads as much at once as its buffer has room for: 16 KiB at first, and from then on what the longest message needed.
-- A page comes in a few reads instead of twenty.
SELECT repeat(' ', 262144)

-- What the next process is to know of this one's start. $1 stream, $2 how often what is first was begun and not finished, $3 the
-- message that is delivered alone, $4 how often that was begun.
UPDATE {{schema}}.stream
SET starts = $2, suspect = $3, suspect_attempts = $4
WHERE id = $1
RETURNING ctid

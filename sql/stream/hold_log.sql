-- To the end of the transaction no partition is truncated: what is there to rewind to now is there when it is done.
LOCK TABLE {{schema}}.message IN ACCESS SHARE MODE

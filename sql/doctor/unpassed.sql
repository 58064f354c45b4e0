-- Whether a segment holds what a stream has not passed. $1 segment.
SELECT NOT {{schema}}.segment_is_passed($1)

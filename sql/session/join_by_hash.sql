-- For the rest of the transaction, what joins many streams with many messages: row by row, as a relay's statements join all else,
-- it would take the product of both.
SELECT set_config('enable_hashjoin', 'on', true), set_config('enable_nestloop', 'off', true)

-- The same few completions of every evaluation on a set, for measures of the text itself: at most
-- 64 per run and evaluation, chosen by a hash of prompt and sample. Reads texts; nothing else does
-- unless asked for rollouts.
-- sweep: name of the sweep
-- run_id: the run
-- step: optimiser steps done before the evaluation
-- ending: last 4,000 characters of the completion
WITH chosen AS (
    SELECT sweep, run_id, step, group_id, sample_index
    FROM rollouts AS held
    WHERE held.eval_set = $eval_set
    QUALIFY row_number() OVER (
        PARTITION BY sweep, run_id, step
        ORDER BY md5(prompt_id || '/' || sample_index::TEXT), group_id
    ) <= 64
)
SELECT sweep, run_id, step, right(held.completion, 4000) AS ending
FROM rollouts AS held
JOIN chosen USING (sweep, run_id, step, group_id, sample_index)
WHERE held.eval_set = $eval_set
ORDER BY sweep, run_id, step, group_id, sample_index

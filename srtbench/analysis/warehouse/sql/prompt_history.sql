-- One row per run, evaluation set, prompt and evaluation: how the vote on each prompt moved.
-- sweep: name of the sweep
-- run_id: the run
-- eval_set: the evaluation set: own for the run's own held-out prompts
-- prompt_id: the prompt
-- step: optimiser steps done before the evaluation
-- avg_gold: share of right completions
-- majority_key: most frequent answer, ties to the first seen
-- majority_share: its share of the completions
-- majority_key_correct: whether it is right
-- flipped: whether it differs from that of the evaluation before
SELECT
    sweep, run_id, eval_set, prompt_id, step, avg_gold, majority_key, majority_share, majority_key_correct,
    step > min(step) OVER prompt
        AND majority_key IS DISTINCT FROM lag(majority_key) OVER (prompt ORDER BY step) AS flipped
FROM groups
WHERE phase = 'eval'
WINDOW prompt AS (PARTITION BY sweep, run_id, eval_set, prompt_id)

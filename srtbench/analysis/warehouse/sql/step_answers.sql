-- One row per run, phase, evaluation set and step: the answer most common across different prompts.
-- sweep: name of the sweep
-- run_id: the run
-- phase: train or eval
-- eval_set: the evaluation set: own for the run's own held-out prompts; null in train
-- step: train or eval step
-- modal_answer: the answer most common across all prompts of the step; null: nothing parsed
-- modal_share: completions that give it, as a share of all
-- pooled_entropy_nats: entropy of all answers of the step, unparsable being one of them
-- distinct_answers: different answers of the step
WITH pooled AS (
    SELECT sweep, run_id, phase, eval_set, step, answer_key, sum(votes) AS votes
    FROM answers
    GROUP BY sweep, run_id, phase, eval_set, step, answer_key
)
SELECT
    sweep, run_id, phase, eval_set, step,
    arg_max(answer_key, (votes, answer_key)) FILTER (answer_key IS NOT NULL) AS modal_answer,
    coalesce(max(votes) FILTER (answer_key IS NOT NULL), 0) / sum(votes) AS modal_share,
    ln(sum(votes)) - sum(votes * ln(votes)) / sum(votes) AS pooled_entropy_nats,
    count(answer_key) AS distinct_answers
FROM pooled
GROUP BY sweep, run_id, phase, eval_set, step

-- One row per run, further evaluation set and evaluation on it; a set on which a run has not been
-- evaluated has one row with a null step. Without `eval_sets:` in the sweep there is no row.
-- sweep: name of the sweep
-- run_id: the run
-- model: label of the model
-- dataset: label of the dataset that the run trains on
-- variant: label of the variant
-- variant_order: place of the variant among the sweep's variants, from 0
-- seed: seed of the run
-- state: waiting, running, done, failed or interrupted
-- total_steps: optimiser steps planned
-- eval_set: label of the set
-- set_order: place of the set in the sweep file, from 0
-- step: optimiser steps done before the evaluation
-- prompts: prompts of the set
-- k: completions per prompt; 1 if it is greedy
-- avg_at_k: mean accuracy of a completion
-- avg_se: its standard error over prompts
-- maj_at_k: share of prompts whose majority of k is right, ties shared evenly
-- maj_se: its standard error over prompts
-- pass_at_k: share of prompts with a right completion among k
-- truncated_share: share of completions cut off at the set's max_completion_length
-- unparsable_share: share of completions without an answer
-- completion_tokens: mean length in tokens
WITH answered AS (
    SELECT
        sweep, run_id, eval_set, step, group_id, answer_key,
        count(*) AS votes,
        max(gold_reward) AS is_gold,
        sum(gold_reward) AS right_votes,
        count(*) FILTER (truncated) AS truncated,
        sum(completion_tokens) AS completion_tokens
    FROM eval_set_rollouts
    GROUP BY sweep, run_id, eval_set, step, group_id, answer_key
),

ranked AS (
    SELECT
        *,
        max(CASE WHEN answer_key IS NOT NULL THEN votes END)
            OVER (PARTITION BY sweep, run_id, eval_set, step, group_id) AS most
    FROM answered
),

voted AS (
    SELECT
        sweep, run_id, eval_set, step,
        sum(votes) AS samples,
        sum(right_votes) / sum(votes) AS avg_gold,
        max(is_gold) AS any_right,
        coalesce(
            avg(is_gold) FILTER (answer_key IS NOT NULL AND votes = most), 0
        ) AS majority_right,
        sum(truncated) AS truncated,
        coalesce(sum(votes) FILTER (answer_key IS NULL), 0) AS unparsable,
        sum(completion_tokens) AS completion_tokens
    FROM ranked
    GROUP BY sweep, run_id, eval_set, step, group_id
),

evaluated AS (
    SELECT
        sweep, run_id, eval_set, step,
        count(*) AS prompts,
        max(samples)::INTEGER AS k,
        avg(avg_gold) AS avg_at_k,
        stddev_samp(avg_gold) / sqrt(count(*)) AS avg_se,
        avg(majority_right) AS maj_at_k,
        stddev_samp(majority_right) / sqrt(count(*)) AS maj_se,
        avg(any_right) AS pass_at_k,
        sum(truncated) / sum(samples) AS truncated_share,
        sum(unparsable) / sum(samples) AS unparsable_share,
        sum(completion_tokens) / sum(samples) AS completion_tokens
    FROM voted
    GROUP BY sweep, run_id, eval_set, step
)

SELECT
    run.sweep, run.run_id, run.model, run.dataset, run.variant, run.variant_order, run.seed,
    run.state, run.total_steps, one.eval_set, one.set_order,
    evaluated.step, prompts, k, avg_at_k, avg_se, maj_at_k, maj_se, pass_at_k,
    truncated_share, unparsable_share, completion_tokens
FROM runs AS run
JOIN planned_eval_sets AS one ON one.sweep = run.sweep AND one.run_id = run.run_id
LEFT JOIN evaluated
    ON evaluated.sweep = run.sweep AND evaluated.run_id = run.run_id
    AND evaluated.eval_set = one.eval_set
ORDER BY run.sweep, run.run_order, one.set_order, evaluated.step

-- Signals of a collapse: one row per run, evaluation set and evaluation. Train columns are means of the train steps
-- since the evaluation before; those of the start are of the first tenth of an evaluation interval.
-- sweep: name of the sweep
-- run_id: the run
-- model: label of the model
-- dataset: label of the dataset
-- variant: label of the variant
-- seed: seed of the run
-- eval_set: the evaluation set: own for the run's own held-out prompts
-- step: optimiser steps done before the evaluation
-- gold_reward: avg@k on the set's prompts
-- gold_noise: its standard deviation were these prompts sampled again
-- majority_ratio: mean vote share on the set's prompts
-- unanimous_share: share of prompts with one answer only
-- modal_share: share of the most common answer across prompts
-- answer_entropy_nats: mean entropy of the answers to one prompt
-- completion_tokens: mean length on the set's prompts
-- train_reward: mean train_reward
-- kl: mean KL to the start model, see step_metrics
WITH held AS (
    SELECT *,
        coalesce(lag(step) OVER run, step - 1) AS previous_step,
        coalesce(lead(step) OVER run, step) AS next_step
    FROM eval_curves
    WHERE step IS NOT NULL
    WINDOW run AS (PARTITION BY sweep, run_id, eval_set ORDER BY step)
)
SELECT
    held.sweep, held.run_id, any_value(held.model) AS model, any_value(held.dataset) AS dataset,
    any_value(held.variant) AS variant, any_value(held.seed) AS seed, held.eval_set, held.step,
    any_value(held.avg_at_k) AS gold_reward,
    any_value(held.avg_noise) AS gold_noise,
    any_value(held.majority_ratio) AS majority_ratio,
    any_value(held.unanimous_share) AS unanimous_share,
    any_value(held.modal_share) AS modal_share,
    any_value(held.answer_entropy_nats) AS answer_entropy_nats,
    any_value(held.completion_tokens) AS completion_tokens,
    avg(trained.train_reward) AS train_reward,
    avg(trained.kl) AS kl
FROM held
LEFT JOIN step_metrics AS trained
    ON trained.sweep = held.sweep AND trained.run_id = held.run_id
    AND trained.step > held.previous_step
    AND trained.step <= CASE WHEN held.step = 0
        THEN greatest(1, held.next_step // 10) ELSE held.step END
GROUP BY held.sweep, held.run_id, held.eval_set, held.set_order, held.step
ORDER BY held.sweep, held.run_id, held.set_order, held.step

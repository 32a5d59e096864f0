-- One row per group and distinct answer: the votes. All unparsable completions of a group share
-- the row with a null answer_key.
-- sweep: name of the sweep
-- run_id: the run
-- phase: train or eval
-- eval_set: the evaluation set: own for the run's own held-out prompts; null in train
-- step: train or eval step
-- group_id: the group
-- prompt_id: prompt of the group
-- answer_key: the answer; null: unparsable
-- votes: completions that gave it
-- first_seen: smallest sample_index that gave it
-- is_gold: whether it was graded right; null without a gold answer
-- gold_total: sum of gold_reward
-- train_total: sum of train_reward; null in eval
-- agreeing: completions whose train_reward equals their gold_reward; null in eval and without gold
-- train_low: smallest train_reward; null in eval
-- train_high: largest train_reward; null in eval
-- truncated: completions that were cut off; null if unknown
-- failed_checks: completions whose verifier timed out or failed
-- completion_tokens: their tokens in all; null if unknown
-- entropy_total: sum of entropy_nats; null if unknown
-- logprob_total: sum of mean_logprob; null if unknown
-- certainty_total: sum of self_certainty; null if unknown
-- pseudo_label: answer key that the group was rewarded for
-- vote_share: vote share as logged
SELECT
    sweep, run_id, phase, eval_set, step, group_id,
    any_value(prompt_id) AS prompt_id,
    answer_key,
    count(*) AS votes,
    min(sample_index) AS first_seen,
    max(gold_reward) > 0 AS is_gold,
    sum(gold_reward) AS gold_total,
    sum(train_reward) AS train_total,
    CASE WHEN count(train_reward + gold_reward) > 0
        THEN count(*) FILTER (train_reward = gold_reward) END AS agreeing,
    min(train_reward) AS train_low,
    max(train_reward) AS train_high,
    CASE WHEN count(truncated) > 0 THEN count(*) FILTER (truncated) END AS truncated,
    count(*) FILTER (verifier_status IN ('timeout', 'error')) AS failed_checks,
    sum(completion_tokens) AS completion_tokens,
    sum(entropy_nats) AS entropy_total,
    sum(mean_logprob) AS logprob_total,
    sum(self_certainty) AS certainty_total,
    any_value(pseudo_label) AS pseudo_label,
    max(vote_share) AS vote_share
FROM rollouts
GROUP BY sweep, run_id, phase, eval_set, step, group_id, answer_key

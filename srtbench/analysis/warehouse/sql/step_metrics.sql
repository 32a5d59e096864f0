-- One row per run and train step; a run without train rollouts has one row with a null step.
-- sweep: name of the sweep
-- run_id: the run
-- model: label of the model
-- dataset: label of the dataset
-- variant: label of the variant
-- variant_type: type of the variant
-- variant_rank: place of the variant among those of its type, from 0
-- variant_order: place of the variant among the sweep's variants, from 0
-- seed: seed of the run
-- state: waiting, running, done, failed or interrupted
-- total_steps: optimiser steps planned
-- step: optimiser step, from 1
-- prompts: groups of the step
-- rollouts: completions of the step
-- train_reward: mean of what the optimiser saw
-- gold_reward: mean agreement with the hidden gold answer (ground_truth_ratio)
-- label_accuracy: share of groups whose pseudo-label is right, a missing label counting as wrong; null for a variant without labels
-- reward_accuracy: share of completions whose train_reward equals their gold_reward
-- youden_j: Youden's J of the reward: mean train_reward of right completions minus that of wrong ones, 1 the gold reward, 0 one that knows nothing, below 0 one that prefers wrong answers; null where all are right or all wrong, or a train_reward leaves 0..1
-- majority_ratio: mean share of a group's completions that give its most frequent answer
-- majority_accuracy: share of groups whose majority is right, ties shared evenly
-- modal_answer: the answer most common across all prompts of the step
-- modal_share: share of all completions that give it
-- unanimous_share: share of groups in which every completion gives one answer
-- same_reward_share: share of groups in which all completions got one train_reward
-- truncated_share: share of completions cut off at max_completion_length
-- unparsable_share: share of completions without an answer
-- failed_checks: completions whose verifier timed out or failed
-- completion_tokens: mean length in tokens
-- answer_characters: mean length of the answers that were found, in characters of their keys
-- answer_entropy_nats: mean entropy of a group's answers
-- entropy_nats: mean token entropy of the policy, from the rollouts or else the trainer; null if unknown
-- kl: mean KL to the start model, as the loss has it, or else (beta 0) the exact one of a few completions, on_policy/kl_to_start; null if neither was logged
-- grad_norm: gradient norm, as the trainer logged it; null if not logged
WITH steps AS (
    SELECT
        sweep, run_id, step,
        count(*) AS prompts,
        sum(samples)::BIGINT AS rollouts,
        sum(train_reward * samples) / sum(samples) AS train_reward,
        sum(avg_gold * samples) / sum(samples) AS gold_reward,
        count(*) FILTER (label_correct) / nullif(count(any_correct), 0) AS label_accuracy,
        count(pseudo_label) AS labels,
        sum(agreeing) / sum(samples) AS reward_accuracy,
        avg(majority_share) AS majority_ratio,
        avg(majority_correct) AS majority_accuracy,
        count(*) FILTER (majority_votes = samples) / count(*) AS unanimous_share,
        count(*) FILTER (same_reward) / nullif(count(same_reward), 0) AS same_reward_share,
        sum(truncated) / sum(samples) AS truncated_share,
        1 - sum(parsable) / sum(samples) AS unparsable_share,
        sum(failed_checks)::BIGINT AS failed_checks,
        sum(completion_tokens * samples) / sum(samples) AS completion_tokens,
        avg(answer_entropy_nats) AS answer_entropy_nats,
        avg(entropy_nats) AS entropy_nats
    FROM groups
    WHERE phase = 'train'
    GROUP BY sweep, run_id, step
), told AS (
    SELECT
        sweep, run_id, step,
        CASE WHEN min(train_low) >= 0 AND max(train_high) <= 1 THEN
            sum(train_total) FILTER (is_gold) / sum(votes) FILTER (is_gold)
            - sum(train_total) FILTER (NOT is_gold) / sum(votes) FILTER (NOT is_gold)
        END AS youden_j,
        sum(votes * length(answer_key)) / sum(votes) FILTER (answer_key IS NOT NULL)
            AS answer_characters
    FROM answers
    WHERE phase = 'train'
    GROUP BY sweep, run_id, step
), labelled AS (
    SELECT sweep, run_id, sum(labels) > 0 AS has_labels FROM steps GROUP BY sweep, run_id
), logged AS (
    SELECT
        sweep, run_id, step,
        coalesce(
            any_value(value) FILTER (metric = 'kl'),
            any_value(value) FILTER (metric = 'on_policy/kl_to_start')
        ) AS kl,
        any_value(value) FILTER (metric = 'grad_norm') AS grad_norm,
        any_value(value) FILTER (metric = 'entropy') AS entropy_nats
    FROM metrics
    WHERE metric IN ('kl', 'on_policy/kl_to_start', 'grad_norm', 'entropy')
    GROUP BY sweep, run_id, step
)
SELECT
    run.sweep, run.run_id, run.model, run.dataset, run.variant, run.variant_type,
    run.variant_rank, run.variant_order, run.seed, run.state, run.total_steps,
    steps.step, prompts, rollouts, train_reward, gold_reward,
    CASE WHEN has_labels THEN label_accuracy END AS label_accuracy,
    reward_accuracy, youden_j, majority_ratio, majority_accuracy, modal_answer, modal_share,
    unanimous_share, same_reward_share, truncated_share, unparsable_share, failed_checks,
    completion_tokens, answer_characters, answer_entropy_nats,
    coalesce(steps.entropy_nats, logged.entropy_nats) AS entropy_nats, kl, grad_norm
FROM runs AS run
LEFT JOIN steps USING (sweep, run_id)
LEFT JOIN labelled USING (sweep, run_id)
LEFT JOIN told ON told.sweep = steps.sweep AND told.run_id = steps.run_id AND told.step = steps.step
LEFT JOIN step_answers AS pooled
    ON pooled.sweep = steps.sweep AND pooled.run_id = steps.run_id
    AND pooled.phase = 'train' AND pooled.step = steps.step
LEFT JOIN logged
    ON logged.sweep = steps.sweep AND logged.run_id = steps.run_id AND logged.step = steps.step
ORDER BY run.sweep, run.run_order, steps.step

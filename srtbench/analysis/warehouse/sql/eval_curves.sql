-- One row per run, evaluation set and evaluation; a set on which a run has not been evaluated has one
-- row with a null step.
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
-- eval_set: the evaluation set: own for the run's own held-out prompts
-- set_order: place of the set among the run's, from 0; own is the first
-- step: optimiser steps, or rounds, done before the evaluation
-- samples_drawn: completions that training had drawn by then, see budget; null where an imported log does not tell
-- tokens_drawn: their tokens, prompts left out; null if the length of one is not known
-- updates: optimiser updates made by then; null for an imported run
-- prompts: prompts of the evaluation
-- k: completions per prompt (the largest number, should it differ)
-- avg_at_k: mean accuracy of a completion
-- avg_se: its standard error over prompts
-- avg_noise: its standard deviation were these prompts sampled again; avg_se with one sample each
-- maj_at_k: share of prompts whose majority of k is right, ties shared evenly
-- maj_se: its standard error over prompts
-- pass_at_k: share of prompts with a right completion among k
-- label_accuracy: share of prompts whose majority as logged, the pseudo-label, is right
-- majority_ratio: mean share of a prompt's completions that give its most frequent answer
-- modal_answer: the answer most common across all prompts
-- modal_share: share of all completions that give it
-- pooled_entropy_nats: entropy of all answers across prompts
-- answer_entropy_nats: mean entropy of the answers to one prompt
-- unanimous_share: share of prompts whose completions all give one answer
-- truncated_share: share of completions cut off at max_completion_length
-- unparsable_share: share of completions without an answer
-- completion_tokens: mean length in tokens
WITH evaluations AS (
    SELECT
        sweep, run_id, eval_set, step,
        count(*) AS prompts,
        max(samples) AS k,
        avg(avg_gold) AS avg_at_k,
        stddev_samp(avg_gold) / sqrt(count(avg_gold)) AS avg_se,
        CASE WHEN count(avg_gold) > 0 THEN coalesce(
            sqrt(sum(greatest(avg_gold * (1 - avg_gold), 0) / nullif(samples - 1, 0)))
                / count(avg_gold),
            stddev_samp(avg_gold) / sqrt(count(avg_gold)), 0
        ) END AS avg_noise,
        avg(majority_correct) AS maj_at_k,
        stddev_samp(majority_correct) / sqrt(count(majority_correct)) AS maj_se,
        count(*) FILTER (any_correct) / nullif(count(any_correct), 0) AS pass_at_k,
        count(*) FILTER (label_correct) / nullif(count(any_correct), 0) AS label_accuracy,
        avg(majority_share) AS majority_ratio,
        avg(answer_entropy_nats) AS answer_entropy_nats,
        count(*) FILTER (majority_votes = samples) / count(*) AS unanimous_share,
        sum(truncated) / sum(samples) AS truncated_share,
        1 - sum(parsable) / sum(samples) AS unparsable_share,
        sum(completion_tokens * samples) / sum(samples) AS completion_tokens
    FROM groups
    WHERE phase = 'eval'
    GROUP BY sweep, run_id, eval_set, step
), counted AS (  -- the first evaluation that a step can count for; another's log may begin at 0
    SELECT *, step + (min(step) OVER (PARTITION BY sweep, run_id) = 0)::INTEGER AS before
    FROM budget
), begun AS (
    SELECT sweep, run_id, min(before) AS first_step FROM counted GROUP BY sweep, run_id
), spent AS (
    SELECT held.sweep, held.run_id, held.step, samples_drawn, tokens_drawn, updates,
        before IS NOT NULL AS has_drawn
    FROM (SELECT DISTINCT sweep, run_id, step FROM evaluations) AS held
    ASOF LEFT JOIN counted
        ON counted.sweep = held.sweep AND counted.run_id = held.run_id
        AND counted.before <= held.step
)
SELECT
    run.sweep, run.run_id, run.model, run.dataset, run.variant, run.variant_type,
    run.variant_rank, run.variant_order, run.seed, run.state, run.total_steps,
    planned.eval_set, planned.set_order, evaluations.step,
    CASE WHEN has_drawn THEN samples_drawn WHEN nothing_drawn THEN 0 END AS samples_drawn,
    CASE WHEN has_drawn THEN tokens_drawn WHEN nothing_drawn THEN 0 END AS tokens_drawn,
    CASE
        WHEN run.imported IS NOT NULL THEN NULL
        WHEN evaluations.step = 0 THEN 0
        WHEN run.algorithm IN ('sft', 'dpo') THEN updates
        ELSE evaluations.step
    END AS updates,
    prompts, k, avg_at_k, avg_se, avg_noise, maj_at_k, maj_se, pass_at_k,
    label_accuracy, majority_ratio, modal_answer, modal_share, pooled_entropy_nats, answer_entropy_nats, unanimous_share,
    truncated_share, unparsable_share, completion_tokens
FROM runs AS run
JOIN planned_eval_sets AS planned ON planned.sweep = run.sweep AND planned.run_id = run.run_id
LEFT JOIN evaluations
    ON evaluations.sweep = run.sweep AND evaluations.run_id = run.run_id
    AND evaluations.eval_set = planned.eval_set
LEFT JOIN (
    SELECT spent.*,
        CASE WHEN run.imported IS NULL THEN spent.step = 0 ELSE begun.first_step <= 1 END
            AS nothing_drawn
    FROM spent
    JOIN runs AS run ON run.sweep = spent.sweep AND run.run_id = spent.run_id
    LEFT JOIN begun ON begun.sweep = spent.sweep AND begun.run_id = spent.run_id
) AS spent
    ON spent.sweep = evaluations.sweep AND spent.run_id = evaluations.run_id
    AND spent.step = evaluations.step
LEFT JOIN step_answers AS pooled
    ON pooled.sweep = evaluations.sweep AND pooled.run_id = evaluations.run_id
    AND pooled.eval_set = evaluations.eval_set AND pooled.step = evaluations.step
ORDER BY run.sweep, run.run_order, planned.set_order, evaluations.step

-- One row per run, evaluation set and prompt: what training did to its vote, first against last
-- evaluation.
-- sweep: name of the sweep
-- run_id: the run
-- model: label of the model
-- dataset: label of the dataset
-- variant: label of the variant
-- variant_type: type of the variant
-- variant_rank: place of the variant among those of its type, from 0
-- variant_order: place of the variant among the sweep's variants, from 0
-- seed: seed of the run
-- eval_set: the evaluation set: own for the run's own held-out prompts
-- prompt_id: the prompt
-- outcome: learned (majority wrong, then right), sharpened (right and right), corrupted (right, then wrong) or locked_wrong (wrong and wrong)
-- settled_step: first evaluation from which the majority stays as right or wrong as it is at the end
-- start_share: vote share of the first majority
-- last_share: vote share of the last majority
-- flips: evaluations at which the majority changed
WITH ends AS (
    SELECT *,
        last_value(majority_key_correct) OVER whole AS last_correct,
        first_value(majority_key_correct) OVER whole AS start_correct,
        max(step) OVER whole AS last_step
    FROM prompt_history
    WINDOW whole AS (
        PARTITION BY sweep, run_id, eval_set, prompt_id ORDER BY step
        ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
    )
), prompt AS (
    SELECT
        sweep, run_id, eval_set, prompt_id,
        any_value(start_correct) AS start_correct,
        any_value(last_correct) AS last_correct,
        max(step) FILTER (majority_key_correct <> last_correct) AS last_other_step,
        list(step ORDER BY step) AS steps,
        arg_min(majority_share, step) AS start_share,
        arg_max(majority_share, step) AS last_share,
        count(*) FILTER (flipped) AS flips
    FROM ends
    GROUP BY sweep, run_id, eval_set, prompt_id
    HAVING max(step) > min(step)
)
SELECT
    prompt.sweep, prompt.run_id, model, dataset, variant, variant_type, variant_rank,
    variant_order, seed, eval_set, prompt_id,
    CASE WHEN start_correct AND last_correct THEN 'sharpened'
        WHEN start_correct THEN 'corrupted'
        WHEN last_correct THEN 'learned'
        ELSE 'locked_wrong' END AS outcome,
    coalesce(list_min(list_filter(steps, lambda s: s > last_other_step)), steps[1]) AS settled_step,
    start_share, last_share, flips
FROM prompt
JOIN runs ON runs.sweep = prompt.sweep AND runs.run_id = prompt.run_id
WHERE start_correct IS NOT NULL AND last_correct IS NOT NULL

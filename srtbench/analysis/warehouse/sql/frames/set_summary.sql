-- Start and end on every evaluation set: one row per cell and set, the own held-out prompts first. Means
-- are over the seeds that were evaluated after their start, or over all where none was.
-- sweep: name of the sweep
-- model: label of the model
-- dataset: label of the dataset that the runs train on
-- variant: label of the variant
-- eval_set: the evaluation set: own for the runs' own held-out prompts
-- runs: planned runs, one per seed
-- seeds: runs with an evaluation after training began
-- prompts: prompts of an evaluation; null: none yet
-- k: completions per prompt; 1 if it is greedy
-- start_avg: avg@k of the start model
-- last_avg: avg@k of the last evaluation; null without one after the start
-- start_maj: maj@k of the start model
-- last_maj: maj@k of the last evaluation; null without one after the start
WITH one AS (
    SELECT *, coalesce(last_step > 0, false) AS ended,
        max(coalesce(last_step > 0, false))
            OVER (PARTITION BY sweep, model, dataset, variant, eval_set) AS any_ended
    FROM eval_summary
)
SELECT
    sweep, model, dataset, variant, eval_set,
    count(*) AS runs,
    count(*) FILTER (ended) AS seeds,
    max(prompts) AS prompts,
    max(k) AS k,
    avg(start_avg) FILTER (ended = any_ended) AS start_avg,
    avg(last_avg) FILTER (ended) AS last_avg,
    avg(start_maj) FILTER (ended = any_ended) AS start_maj,
    avg(last_maj) FILTER (ended) AS last_maj
FROM one
GROUP BY sweep, model, dataset, variant, eval_set
ORDER BY sweep, model, dataset, min(variant_order), min(set_order)

-- One row per planned run: start, best and last evaluation, and whether it collapsed.
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
-- k: completions per prompt of an evaluation
-- start_avg: avg@k of the start model
-- best_avg: highest avg@k of any evaluation
-- best_step: first step at which it was reached
-- last_avg: avg@k of the last evaluation
-- last_step: its step
-- start_maj: maj@k of the start model
-- best_maj: highest maj@k of any evaluation
-- last_maj: maj@k of the last evaluation
-- start_train_reward: mean train_reward of the first tenth of the planned steps
-- last_train_reward: mean train_reward of the last tenth of the steps done
-- last_modal_share: share of the most common answer across prompts in the last evaluation
-- last_modal_answer: that answer
-- fallen_step: first evaluation from which every avg@k stays below 0.8 of the best before it, and 0.1 below it; null: none
-- fallen_after: the evaluation before fallen_step, so the fall began between the two; null: none
-- collapse_step: fallen_step where train_reward meanwhile held (last_train_reward at least start_train_reward - 0.05); null: no collapse
WITH points AS (
    SELECT *,
        max(avg_at_k) OVER earlier AS peak,
        lag(step) OVER (PARTITION BY sweep, run_id ORDER BY step) AS previous_step
    FROM eval_curves
    WHERE step IS NOT NULL
    WINDOW earlier AS (
        PARTITION BY sweep, run_id ORDER BY step
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
), ends AS (
    SELECT
        sweep, run_id, max(k) AS k,
        arg_min(avg_at_k, step) AS start_avg, max(avg_at_k) AS best_avg,
        arg_max(step, (avg_at_k, -step)) AS best_step,
        arg_max(avg_at_k, step) AS last_avg, max(step) AS last_step,
        arg_min(maj_at_k, step) AS start_maj, max(maj_at_k) AS best_maj,
        arg_max(maj_at_k, step) AS last_maj,
        arg_max(modal_share, step) AS last_modal_share,
        arg_max(modal_answer, step) AS last_modal_answer
    FROM points
    GROUP BY sweep, run_id
), falls AS (
    SELECT point.sweep, point.run_id, min(point.step) AS fallen_step,
        arg_min(previous_step, point.step) AS fallen_after
    FROM points AS point
    JOIN (
        SELECT sweep, run_id, step,
            max(avg_at_k) OVER (
                PARTITION BY sweep, run_id ORDER BY step
                ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
            ) AS highest_from_here
        FROM points
    ) AS rest USING (sweep, run_id, step)
    WHERE highest_from_here < 0.8 * peak AND highest_from_here <= peak - 0.1
    GROUP BY point.sweep, point.run_id
), rewards AS (
    SELECT
        sweep, run_id,
        avg(train_reward) FILTER (step <= greatest(1, total_steps // 10)) AS start_train_reward,
        avg(train_reward) FILTER (step > last - greatest(1, total_steps // 10)) AS last_train_reward
    FROM (
        SELECT *, max(step) OVER (PARTITION BY sweep, run_id) AS last
        FROM step_metrics WHERE step IS NOT NULL
    )
    GROUP BY sweep, run_id
)
SELECT
    run.sweep, run.run_id, run.model, run.dataset, run.variant, run.variant_type,
    run.variant_rank, run.variant_order, run.seed, run.state,
    k, start_avg, best_avg, best_step, last_avg, last_step, start_maj, best_maj, last_maj,
    start_train_reward, last_train_reward, last_modal_share, last_modal_answer, fallen_step,
    fallen_after,
    CASE WHEN last_train_reward >= start_train_reward - 0.05 THEN fallen_step END AS collapse_step
FROM runs AS run
LEFT JOIN ends USING (sweep, run_id)
LEFT JOIN falls USING (sweep, run_id)
LEFT JOIN rewards USING (sweep, run_id)
ORDER BY run.sweep, run.run_order

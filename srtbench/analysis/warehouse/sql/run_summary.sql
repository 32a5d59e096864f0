-- One row per planned run: start, best and last evaluation on its own held-out prompts, and whether it
-- collapsed; eval_summary has the same for every evaluation set.
-- sweep: name of the sweep
-- run_id: the run
-- model: label of the model
-- dataset: label of the dataset
-- variant: label of the variant
-- variant_type: type of the variant
-- variant_rank: place of the variant among those of its type, from 0
-- variant_order: place of the variant among the sweep's variants, from 0
-- seed: seed of the run
-- uses_gold: whether its rewards, when it ends (train.stop) or which epochs it keeps (train.fit.keep) depend on the hidden answers; null: not known
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
-- fallen_step: evaluation after fallen_after; null: none
-- fallen_after: last evaluation at three quarters of the height or more that avg@k then loses for good; null: it does not
-- collapse_step: fallen_step where train_reward meanwhile held, as srtbench.stats.diagnose_collapse decides; null: no collapse
WITH rewards AS (
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
    run.sweep, run_id, model, dataset, variant, variant_type, variant_rank, variant_order, seed, uses_gold, state,
    k, start_avg, best_avg, best_step, last_avg, last_step, start_maj, best_maj, last_maj,
    start_train_reward, last_train_reward, last_modal_share, last_modal_answer, fallen_step,
    fallen_after, collapse_step
FROM eval_summary AS run
JOIN (SELECT sweep, run_id, run_order, uses_gold FROM planned_runs) AS planned USING (sweep, run_id)
LEFT JOIN rewards USING (sweep, run_id)
WHERE run.eval_set = 'own'
ORDER BY run.sweep, planned.run_order

-- One row per planned run: start, best and last evaluation on the set on which it is judged, and whether it
-- collapsed there; eval_summary has the same for every evaluation set. A run is judged on its own held-out
-- prompts. One that has none with gold answers, as another trainer's may, is judged on the first further
-- set on which it collapsed, else on the first with gold answers, preferring sets that its other seeds
-- are judged on.
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
-- eval_set: the evaluation set on which it is judged
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
    eval_set, k, start_avg, best_avg, best_step, last_avg, last_step, start_maj, best_maj, last_maj,
    start_train_reward, last_train_reward, last_modal_share, last_modal_answer, fallen_step,
    fallen_after, collapse_step
FROM (
    SELECT *, count(collapse_step) OVER alike AS seeds_collapsed,
        count(best_avg) OVER alike AS seeds_graded
    FROM eval_summary
    WINDOW alike AS (PARTITION BY sweep, model, dataset, variant, eval_set)
) AS run
JOIN (SELECT sweep, run_id, run_order, uses_gold FROM planned_runs) AS planned USING (sweep, run_id)
LEFT JOIN rewards USING (sweep, run_id)
QUALIFY row_number() OVER (PARTITION BY run.sweep, run_id ORDER BY
    (eval_set = 'own' AND best_avg IS NOT NULL) DESC, (collapse_step IS NOT NULL) DESC,
    (best_avg IS NOT NULL) DESC, seeds_collapsed DESC, seeds_graded DESC,
    (last_step IS NOT NULL) DESC, set_order) = 1
ORDER BY run.sweep, planned.run_order

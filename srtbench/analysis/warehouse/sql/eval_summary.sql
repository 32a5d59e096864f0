-- One row per planned run and evaluation set: start, best and last evaluation on it, and whether the run
-- collapsed as the set sees it.
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
-- eval_set: the evaluation set: own for the run's own held-out prompts
-- set_order: place of the set among the run's, from 0; own is the first
-- prompts: prompts of an evaluation (the largest number, should it differ)
-- k: completions per prompt of an evaluation
-- start_avg: avg@k of the start model
-- best_avg: highest avg@k of any evaluation
-- best_step: first step at which it was reached
-- last_avg: avg@k of the last evaluation
-- last_step: its step
-- start_maj: maj@k of the start model
-- best_maj: highest maj@k of any evaluation
-- last_maj: maj@k of the last evaluation
-- last_modal_share: share of the most common answer across prompts in the last evaluation
-- last_modal_answer: that answer
-- fallen_step: evaluation after fallen_after; null: none
-- fallen_after: last evaluation at three quarters of the height or more that avg@k then loses for good; null: it does not
-- collapse_step: fallen_step where train_reward meanwhile held, as srtbench.stats.diagnose_collapse decides; null: no collapse
WITH points AS (
    SELECT * FROM eval_curves WHERE step IS NOT NULL
), ends AS (
    SELECT
        sweep, run_id, eval_set, max(prompts) AS prompts, max(k) AS k,
        arg_min(avg_at_k, step) AS start_avg, max(avg_at_k) AS best_avg,
        arg_max(step, (avg_at_k, -step)) FILTER (avg_at_k IS NOT NULL) AS best_step,
        arg_max(avg_at_k, step) AS last_avg, max(step) AS last_step,
        arg_min(maj_at_k, step) AS start_maj, max(maj_at_k) AS best_maj,
        arg_max(maj_at_k, step) AS last_maj,
        arg_max(modal_share, step) AS last_modal_share,
        arg_max(modal_answer, step) AS last_modal_answer
    FROM points
    GROUP BY sweep, run_id, eval_set
), curves AS (
    SELECT
        sweep, run_id, eval_set, count(*) AS n,
        list(gold_reward ORDER BY step) AS held, list(step ORDER BY step) AS steps,
        list(train_reward ORDER BY step) AS trained, max(gold_noise) AS sampling_noise
    FROM run_signals
    WHERE gold_reward IS NOT NULL
    GROUP BY sweep, run_id, eval_set
    HAVING count(*) >= 4
), smoothed AS (  -- running median of three, and the upper median of the last tenth
    SELECT *,
        list_transform(range(1, n + 1), lambda i: CASE WHEN i IN (1, n) THEN held[i]
            ELSE list_sort(held[i - 1 : i + 1])[2] END) AS smooth,
        least(greatest(2, (n + 9) // 10), 5) AS last_tenth,
        list_sort(held[n - last_tenth + 1 : n])[last_tenth // 2 + 1] AS floor,
        list_sort(list_transform(range(1, n - 1),
            lambda i: abs(held[i + 2] - held[i + 1] - (held[i + 1] - held[i])))) AS bends,
        list_min(list_transform(range(1, n), lambda i:
            i * list_var_pop(held[1 : i]) + (n - i) * list_var_pop(held[i + 1 : n]))) AS two_levels
    FROM curves
), measured AS (  -- srtbench.stats.fall_point
    SELECT *,
        list_max(smooth) AS peak,
        CASE WHEN n > 4 THEN least(
            list_median(bends[1 : n - 4]) / (0.6745 * sqrt(6.0)), sqrt(two_levels / (n - 2))
        ) ELSE 0 END AS curve_noise
    FROM smoothed
), falls AS (
    SELECT sweep, run_id, eval_set, steps, trained, peak - floor AS drop,
        list_max(list_filter(range(1, n + 1), lambda i: smooth[i] >= floor + 0.75 * (peak - floor)))
            AS high
    FROM measured
    WHERE peak - floor > greatest(0.1, 0.2 * abs(peak), 5 * greatest(sampling_noise, curve_noise))
        AND smooth[n] < 0.5 * (peak + floor)
), judged AS (
    SELECT sweep, run_id, eval_set, steps[high] AS fallen_after, steps[high + 1] AS fallen_step,
        list_filter(trained[1 : high], lambda r: r IS NOT NULL) AS before,
        list_filter(trained[high + 1 :], lambda r: r IS NOT NULL) AS after,
        coalesce(list_median(before[-3 :]), list_filter(trained, lambda r: r IS NOT NULL)[1])
            AS reward_before,
        coalesce(list_median(after[-3 :]), reward_before) AS reward_after,
        reward_after >= reward_before - least(0.1, 0.5 * drop) AS reward_held
    FROM falls
)
SELECT
    run.sweep, run.run_id, run.model, run.dataset, run.variant, run.variant_type,
    run.variant_rank, run.variant_order, run.seed, run.state, planned.eval_set, planned.set_order,
    prompts, k, start_avg, best_avg, best_step, last_avg, last_step, start_maj, best_maj, last_maj,
    last_modal_share, last_modal_answer, fallen_step, fallen_after,
    CASE WHEN reward_held THEN fallen_step END AS collapse_step
FROM runs AS run
JOIN planned_eval_sets AS planned ON planned.sweep = run.sweep AND planned.run_id = run.run_id
LEFT JOIN ends
    ON ends.sweep = run.sweep AND ends.run_id = run.run_id AND ends.eval_set = planned.eval_set
LEFT JOIN judged
    ON judged.sweep = run.sweep AND judged.run_id = run.run_id
    AND judged.eval_set = planned.eval_set
ORDER BY run.sweep, run.run_order, planned.set_order

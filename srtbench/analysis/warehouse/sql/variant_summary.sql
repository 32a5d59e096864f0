-- One row per planned cell (model, dataset, variant): its runs, and means over the seeds that have
-- evaluations, each on the set on which it is judged, see run_summary; the frame set_summary has every set.
-- sweep: name of the sweep
-- model: label of the model
-- dataset: label of the dataset
-- variant: label of the variant
-- variant_type: type of the variant
-- variant_rank: place of the variant among those of its type, from 0
-- variant_order: place of the variant among the sweep's variants, from 0
-- uses_gold: whether its rewards, when it ends (train.stop) or which epochs it keeps (train.fit.keep) depend on the hidden answers; null: not known
-- eval_set: the evaluation set on which they are judged; of runs judged on several, all of them
-- runs: planned runs, one per seed
-- done: runs that finished
-- failed: runs that failed
-- unfinished: runs that are waiting, running or interrupted
-- seeds: runs with at least one evaluation after training began
-- k: completions per prompt of an evaluation
-- start_avg: avg@k of the start model
-- best_avg: highest avg@k of each run, mean over seeds
-- best_step: smallest step at which a seed was best
-- last_avg: avg@k of the last evaluation, mean over seeds
-- last_avg_low: lowest seed
-- last_avg_high: highest seed
-- last_step: smallest last step of a seed
-- start_maj: maj@k of the start model
-- best_maj: highest maj@k of each run, mean over seeds
-- last_maj: maj@k of the last evaluation, mean over seeds
-- last_maj_low: lowest seed
-- last_maj_high: highest seed
-- start_train_reward: mean train_reward of the first tenth of the planned steps
-- last_train_reward: mean train_reward of the last tenth of the steps done
-- last_modal_share: share of the most common answer across prompts in the last evaluation
-- last_modal_answer: that answer, of the seed where its share is highest
-- collapsed: seeds that collapsed
-- collapse_step: earliest collapse_step of a seed, see run_summary; null: none collapsed
-- collapse_after: the evaluation before it
SELECT
    sweep, model, dataset, variant,
    any_value(variant_type) AS variant_type, any_value(variant_rank) AS variant_rank,
    min(variant_order) AS variant_order,
    bool_or(uses_gold) AS uses_gold,
    string_agg(DISTINCT eval_set, ', ' ORDER BY eval_set) AS eval_set,
    count(*) AS runs,
    count(*) FILTER (state = 'done') AS done,
    count(*) FILTER (state = 'failed') AS failed,
    count(*) FILTER (state IN ('waiting', 'running', 'interrupted')) AS unfinished,
    count(*) FILTER (last_step > 0) AS seeds,
    max(k) AS k,
    avg(start_avg) AS start_avg,
    avg(best_avg) AS best_avg,
    min(best_step) AS best_step,
    avg(last_avg) FILTER (last_step > 0) AS last_avg,
    min(last_avg) FILTER (last_step > 0) AS last_avg_low,
    max(last_avg) FILTER (last_step > 0) AS last_avg_high,
    min(last_step) FILTER (last_step > 0) AS last_step,
    avg(start_maj) AS start_maj,
    avg(best_maj) AS best_maj,
    avg(last_maj) FILTER (last_step > 0) AS last_maj,
    min(last_maj) FILTER (last_step > 0) AS last_maj_low,
    max(last_maj) FILTER (last_step > 0) AS last_maj_high,
    avg(start_train_reward) AS start_train_reward,
    avg(last_train_reward) AS last_train_reward,
    avg(last_modal_share) FILTER (last_step > 0) AS last_modal_share,
    arg_max(last_modal_answer, last_modal_share) FILTER (last_step > 0) AS last_modal_answer,
    count(collapse_step) AS collapsed,
    min(collapse_step) AS collapse_step,
    arg_min(fallen_after, collapse_step) AS collapse_after
FROM run_summary
GROUP BY sweep, model, dataset, variant
ORDER BY sweep, model, dataset, variant_order

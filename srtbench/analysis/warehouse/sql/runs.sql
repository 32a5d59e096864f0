-- One row per planned run, whether it has begun or not: every other view starts from here.
-- sweep: name of the sweep
-- run_order: place of the run in the plan, from 0
-- run_id: the run
-- part: name of the part of the sweep file that planned it; null where the sweep has no parts
-- model: label of the model
-- dataset: label of the dataset
-- variant: label of the variant
-- variant_type: type of the variant, e.g. srt
-- variant_order: place of the variant among the sweep's variants, from 0
-- variant_rank: place of the variant among those of its type, from 0
-- seed: seed of the run
-- level: difficulty of the dataset; null where it has none
-- state: waiting, running, done, failed or interrupted
-- step: optimiser steps done
-- total_steps: optimiser steps planned
-- trains_on_eval_prompts: whether the run trains, label-free, on the prompts it is evaluated on
-- uses_gold: whether its rewards, when it ends (train.stop) or which epochs it keeps (train.fit.keep) depend on the hidden answers; null: not known
-- starts_from: the run before it in a curriculum; null where it starts from the start model
-- start_rule: which policy of that run it starts from: last, best_avg_at_k or best_maj_at_k
-- imported: format of the log of another trainer that the run was read from; null: a run of srtbench
-- caveat: what must be said with its numbers, in plain sentences: prompts that it is evaluated on were trained on, or gold answers chose the policy that it starts from; and what an imported log cannot tell; null where there is nothing to say
-- stop: what train.stop looks at, a signal or labelled prompts; null: nothing ends the run early
-- stopped: why it ended before its last step, in a sentence; null: it did not
-- kept_step: step of the policy that train.stop keeps; null: it keeps none
-- attempts: how often the run was started
-- error: last lines of the traceback of a failure
-- wall_seconds: time the run took so far
-- algorithm: grpo or rloo; of rounds sft or dpo, how a round is fitted; null before the run has begun
-- learning_rate: step size of the optimiser; null before the run has begun
-- beta: weight of the KL to the start model; null before the run has begun
-- prompts_per_step: groups per train step; null before the run has begun
-- num_generations: completions per group; null before the run has begun
-- updates_per_rollout: optimiser steps on each batch of rollouts; null before the run has begun, and of rounds and imports
-- first_started: when its first attempt began, in seconds since 1970; null before that, and in older logs
-- srtbench_version: version that began the run; null before that, and of imports
-- git_commit: commit of the checkout that began it; null where it was none
-- git_dirty: whether that checkout had changes that were not committed
SELECT
    sweep, run_order, run_id, part, model, dataset, variant, variant_type, variant_order, variant_rank,
    seed, level, state, step, total_steps,
    trains_on_eval_prompts, uses_gold, starts_from, start_rule, imported, caveat, stop, stopped,
    kept_step, attempts, error, wall_seconds,
    algorithm, learning_rate, beta, prompts_per_step, num_generations, updates_per_rollout,
    first_started, srtbench_version, git_commit, git_dirty
FROM planned_runs
ORDER BY sweep, run_order

-- What training changed on each prompt of a further evaluation set: one row per run, set and prompt,
-- first against last evaluation; none for a run that was not evaluated after its start.
-- sweep: name of the sweep
-- model: label of the model
-- dataset: label of the dataset that the run trains on
-- variant: label of the variant
-- eval_set: label of the set
-- seed: seed of the run
-- prompt_id: the prompt
-- start_avg: share of right completions in the first evaluation
-- last_avg: share of right completions in the last evaluation
WITH asked AS (
    SELECT sweep, run_id, eval_set, step, prompt_id, avg(gold_reward) AS avg_gold
    FROM eval_set_rollouts
    GROUP BY sweep, run_id, eval_set, step, prompt_id
)

SELECT
    run.sweep, run.model, run.dataset, run.variant, asked.eval_set, run.seed, asked.prompt_id,
    arg_min(asked.avg_gold, asked.step) AS start_avg,
    arg_max(asked.avg_gold, asked.step) AS last_avg
FROM asked
JOIN runs AS run ON run.sweep = asked.sweep AND run.run_id = asked.run_id
GROUP BY
    run.sweep, run.model, run.dataset, run.variant, asked.eval_set, run.seed, asked.prompt_id
HAVING max(asked.step) > 0
ORDER BY ALL

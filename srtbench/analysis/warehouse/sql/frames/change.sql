-- What training changed on each prompt of an evaluation set: one row per run and prompt, first against
-- last evaluation; none for a run that was not evaluated after its start.
-- sweep: name of the sweep
-- model: label of the model
-- dataset: label of the dataset
-- variant: label of the variant
-- eval_set: the evaluation set
-- seed: seed of the run
-- prompt_id: the prompt
-- start_avg: share of right completions in the first evaluation
-- last_avg: share of right completions in the last evaluation
SELECT
    run.sweep, run.model, run.dataset, run.variant, run.eval_set, run.seed, held.prompt_id,
    arg_min(held.avg_gold, held.step) AS start_avg,
    arg_max(held.avg_gold, held.step) AS last_avg
FROM groups AS held
JOIN eval_summary AS run
    ON run.sweep = held.sweep AND run.run_id = held.run_id AND run.eval_set = held.eval_set
    AND run.last_step > 0
WHERE held.eval_set = $eval_set
GROUP BY run.sweep, run.model, run.dataset, run.variant, run.eval_set, run.seed, held.prompt_id
ORDER BY ALL

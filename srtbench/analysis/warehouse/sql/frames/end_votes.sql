-- Votes of the first and last evaluation: one row per run, moment, prompt and answer.
-- sweep: name of the sweep
-- run_id: the run
-- model: label of the model
-- dataset: label of the dataset
-- variant: label of the variant
-- variant_type: type of the variant
-- variant_rank: place of the variant among those of its type, from 0
-- variant_order: place of the variant among the sweep's variants, from 0
-- eval_set: the evaluation set
-- seed: seed of the run
-- moment: start or last
-- prompt_id: the prompt
-- answer_key: the answer; null: unparsable
-- votes: completions that gave it
-- is_gold: whether it is right
WITH ends AS (
    SELECT sweep, run_id, min(step) AS step, 'start' AS moment FROM eval_curves AS held
    WHERE step IS NOT NULL AND held.eval_set = $eval_set GROUP BY sweep, run_id
    UNION ALL
    SELECT sweep, run_id, max(step) AS step, 'last' AS moment FROM eval_curves AS held
    WHERE step IS NOT NULL AND held.eval_set = $eval_set GROUP BY sweep, run_id HAVING max(step) > min(step)
)
SELECT
    run.sweep, run.run_id, run.model, run.dataset, run.variant, run.variant_type,
    run.variant_rank, run.variant_order, held.eval_set, run.seed, ends.moment, held.prompt_id, held.answer_key,
    held.votes, held.is_gold
FROM answers AS held
JOIN ends ON ends.sweep = held.sweep AND ends.run_id = held.run_id AND ends.step = held.step
JOIN runs AS run ON run.sweep = held.sweep AND run.run_id = held.run_id
WHERE held.eval_set = $eval_set
ORDER BY run.sweep, run.run_order, ends.moment, held.prompt_id, held.votes DESC, held.first_seen

-- Held-out scores prompt by prompt: one row per run, evaluation and prompt, for paired comparisons.
-- sweep: name of the sweep
-- model: label of the model
-- dataset: label of the dataset
-- variant: label of the variant
-- variant_type: type of the variant
-- seed: seed of the run
-- step: optimiser steps done before the evaluation
-- prompt_id: the prompt
-- avg_gold: share of right completions
-- majority_correct: chance that the majority is right when ties are drawn evenly
SELECT
    run.sweep, run.model, run.dataset, run.variant, run.variant_type, run.seed, held.step,
    held.prompt_id, held.avg_gold, held.majority_correct
FROM groups AS held
JOIN runs AS run ON run.sweep = held.sweep AND run.run_id = held.run_id
WHERE held.phase = 'eval'
ORDER BY run.sweep, run.run_order, held.step, held.prompt_id

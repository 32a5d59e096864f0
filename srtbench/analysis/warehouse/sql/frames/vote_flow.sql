-- What became of the votes on the prompts of an evaluation set: one row per cell and outcome, see prompt_outcomes.
-- sweep: name of the sweep
-- model: label of the model
-- dataset: label of the dataset
-- variant: label of the variant
-- variant_type: type of the variant
-- variant_rank: place of the variant among those of its type, from 0
-- variant_order: place of the variant among the sweep's variants, from 0
-- eval_set: the evaluation set
-- outcome: learned, sharpened, corrupted or locked_wrong
-- prompts: prompts with that outcome, summed over seeds
-- share: those as a share of all prompts
SELECT
    sweep, model, dataset, variant, any_value(variant_type) AS variant_type,
    any_value(variant_rank) AS variant_rank, any_value(variant_order) AS variant_order,
    any_value(eval_set) AS eval_set, outcome, count(*) AS prompts,
    count(*) / sum(count(*)) OVER (PARTITION BY sweep, model, dataset, variant) AS share
FROM prompt_outcomes AS held
WHERE held.eval_set = $eval_set
GROUP BY sweep, model, dataset, variant, outcome
ORDER BY sweep, model, dataset, variant_order, outcome

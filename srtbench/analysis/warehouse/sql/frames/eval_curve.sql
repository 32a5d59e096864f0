-- Measures of an evaluation set over steps: one row per cell, evaluation and measure.
-- sweep: name of the sweep
-- model: label of the model
-- dataset: label of the dataset
-- variant: label of the variant
-- variant_type: type of the variant
-- variant_rank: place of the variant among those of its type, from 0
-- variant_order: place of the variant among the sweep's variants, from 0
-- eval_set: the evaluation set
-- step: optimiser steps, or rounds, done before the evaluation
-- samples_drawn: completions that training had drawn by then, mean over seeds; null if that of a seed is unknown
-- tokens_drawn: their tokens, likewise
-- updates: optimiser updates made by then, likewise
-- measure: a column of eval_curves, e.g. avg_at_k
-- value: mean over seeds
-- low: lower end of the band
-- high: upper end of the band
-- band: what the band is, see srtbench.analysis.bands; null: no band
-- seeds: runs behind the value
-- k: completions per prompt
WITH long AS (
    UNPIVOT (
        SELECT sweep, model, dataset, variant, variant_type, variant_rank, variant_order, eval_set,
            step, samples_drawn, tokens_drawn, updates, k, avg_at_k, maj_at_k, pass_at_k, label_accuracy, majority_ratio, modal_share,
            unparsable_share, truncated_share, answer_entropy_nats,
            completion_tokens::DOUBLE AS completion_tokens
        FROM eval_curves AS held
        WHERE step IS NOT NULL AND held.eval_set = $eval_set
            AND ($runs::VARCHAR[] IS NULL
                OR list_contains($runs::VARCHAR[], sweep || '/' || run_id))
    )
    ON avg_at_k, maj_at_k, pass_at_k, label_accuracy, majority_ratio, modal_share,
        unparsable_share, truncated_share, answer_entropy_nats, completion_tokens
    INTO NAME measure VALUE value
)
SELECT
    sweep, model, dataset, variant, any_value(variant_type) AS variant_type,
    any_value(variant_rank) AS variant_rank, any_value(variant_order) AS variant_order,
    any_value(eval_set) AS eval_set, step,
    CASE WHEN count(samples_drawn) = count(*) THEN avg(samples_drawn) END AS samples_drawn,
    CASE WHEN count(tokens_drawn) = count(*) THEN avg(tokens_drawn) END AS tokens_drawn,
    CASE WHEN count(updates) = count(*) THEN avg(updates) END AS updates,
    measure, avg(value) AS value,
    CASE WHEN count(*) > 1 THEN min(value) END AS low,
    CASE WHEN count(*) > 1 THEN max(value) END AS high,
    CASE WHEN count(*) > 1 THEN 'range of seeds' END AS band,
    count(*) AS seeds, max(k) AS k
FROM long
GROUP BY sweep, model, dataset, variant, step, measure
ORDER BY sweep, model, dataset, variant_order, measure, step

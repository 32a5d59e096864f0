-- Held-out measures over steps: one row per cell, evaluation and measure.
-- sweep: name of the sweep
-- model: label of the model
-- dataset: label of the dataset
-- variant: label of the variant
-- variant_type: type of the variant
-- variant_rank: place of the variant among those of its type, from 0
-- variant_order: place of the variant among the sweep's variants, from 0
-- step: optimiser steps done before the evaluation
-- measure: a column of eval_curves, e.g. avg_at_k
-- value: mean over seeds
-- low: lower end of the band
-- high: upper end of the band
-- band: what the band is: the range of the seeds, a 95% interval over prompts where there is one seed, or nothing
-- seeds: runs behind the value
-- k: completions per prompt
WITH long AS (
    UNPIVOT (
        SELECT sweep, model, dataset, variant, variant_type, variant_rank, variant_order, step,
            k, avg_se, maj_se, avg_at_k, maj_at_k, pass_at_k, majority_ratio, modal_share,
            unparsable_share, truncated_share, answer_entropy_nats, completion_tokens::DOUBLE AS completion_tokens
        FROM eval_curves
        WHERE step IS NOT NULL
    )
    ON avg_at_k, maj_at_k, pass_at_k, majority_ratio, modal_share, unparsable_share,
        truncated_share, answer_entropy_nats, completion_tokens
    INTO NAME measure VALUE value
)
SELECT
    sweep, model, dataset, variant, any_value(variant_type) AS variant_type,
    any_value(variant_rank) AS variant_rank, any_value(variant_order) AS variant_order,
    step, measure, avg(value) AS value,
    CASE WHEN count(*) > 1 THEN min(value)
        WHEN measure IN ('avg_at_k', 'maj_at_k') THEN greatest(0, any_value(
            value - 1.96 * CASE measure WHEN 'avg_at_k' THEN avg_se ELSE maj_se END)) END AS low,
    CASE WHEN count(*) > 1 THEN max(value)
        WHEN measure IN ('avg_at_k', 'maj_at_k') THEN least(1, any_value(
            value + 1.96 * CASE measure WHEN 'avg_at_k' THEN avg_se ELSE maj_se END)) END AS high,
    CASE WHEN count(*) > 1 THEN 'range of seeds'
        WHEN measure IN ('avg_at_k', 'maj_at_k') THEN '95% interval over prompts' END AS band,
    count(*) AS seeds, max(k) AS k
FROM long
GROUP BY sweep, model, dataset, variant, step, measure
ORDER BY sweep, model, dataset, variant_order, measure, step

-- Measures of the training rollouts over steps: one row per cell, train step and measure. Values are
-- centred moving averages over about a fifteenth of the planned steps.
-- sweep: name of the sweep
-- model: label of the model
-- dataset: label of the dataset
-- variant: label of the variant
-- variant_type: type of the variant
-- variant_rank: place of the variant among those of its type, from 0
-- variant_order: place of the variant among the sweep's variants, from 0
-- step: optimiser step, or round, from 1
-- samples_drawn: completions drawn up to and with the step, mean over seeds; null if that of a seed is unknown
-- tokens_drawn: their tokens, likewise
-- updates: optimiser updates made, the step's own included, likewise
-- measure: a column of step_metrics, e.g. train_reward
-- value: moving average, mean over seeds
-- low: lowest seed; null with one seed
-- high: highest seed; null with one seed
-- band: what the band is: the range of the seeds, or nothing
-- seeds: runs behind the value
-- raw: value of the single step, mean over seeds
-- window_steps: steps in a moving average
WITH long AS (
    UNPIVOT (
        SELECT sweep, run_id, model, dataset, variant, variant_type, variant_rank, variant_order,
            total_steps, step, samples_drawn, tokens_drawn, updates, train_reward, gold_reward, label_accuracy, reward_accuracy,
            youden_j, answer_characters, majority_ratio, majority_accuracy, modal_share, unanimous_share, unparsable_share,
            truncated_share, completion_tokens::DOUBLE AS completion_tokens, answer_entropy_nats,
            entropy_nats::DOUBLE AS entropy_nats, kl
        FROM step_metrics
        LEFT JOIN (
            SELECT sweep, run_id, step, samples_drawn, tokens_drawn, updates FROM budget
        ) AS spent USING (sweep, run_id, step)
        WHERE step IS NOT NULL
            AND ($runs::VARCHAR[] IS NULL
                OR list_contains($runs::VARCHAR[], sweep || '/' || run_id))
    )
    ON train_reward, gold_reward, label_accuracy, reward_accuracy, youden_j, answer_characters,
        majority_ratio, majority_accuracy, modal_share, unanimous_share, unparsable_share, truncated_share,
        completion_tokens, answer_entropy_nats, entropy_nats, kl
    INTO NAME measure VALUE value
), smooth AS (
    SELECT *, avg(value) OVER (
            PARTITION BY sweep, run_id, measure ORDER BY step
            RANGE BETWEEN (total_steps // 30) PRECEDING AND (total_steps // 30) FOLLOWING
        ) AS smoothed
    FROM long
)
SELECT
    sweep, model, dataset, variant, any_value(variant_type) AS variant_type,
    any_value(variant_rank) AS variant_rank, any_value(variant_order) AS variant_order,
    step,
    CASE WHEN count(samples_drawn) = count(*) THEN avg(samples_drawn) END AS samples_drawn,
    CASE WHEN count(tokens_drawn) = count(*) THEN avg(tokens_drawn) END AS tokens_drawn,
    CASE WHEN count(updates) = count(*) THEN avg(updates) END AS updates,
    measure, avg(smoothed) AS value,
    CASE WHEN count(*) > 1 THEN min(smoothed) END AS low,
    CASE WHEN count(*) > 1 THEN max(smoothed) END AS high,
    CASE WHEN count(*) > 1 THEN 'range of seeds' END AS band,
    count(*) AS seeds, avg(value) AS raw,
    any_value(2 * (total_steps // 30) + 1) AS window_steps
FROM smooth
GROUP BY sweep, model, dataset, variant, step, measure
ORDER BY sweep, model, dataset, variant_order, measure, step

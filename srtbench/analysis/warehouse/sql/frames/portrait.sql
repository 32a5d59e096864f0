-- train_reward against gold accuracy of the training rollouts: one row per cell and train step, moving
-- averages as in train_curve.
-- sweep: name of the sweep
-- model: label of the model
-- dataset: label of the dataset
-- variant: label of the variant
-- variant_type: type of the variant
-- variant_rank: place of the variant among those of its type, from 0
-- variant_order: place of the variant among the sweep's variants, from 0
-- step: optimiser step, from 1
-- train_reward: mean of what the optimiser saw, moving average, mean over seeds
-- gold_reward: mean agreement with the gold answer, moving average, mean over seeds
SELECT
    sweep, model, dataset, variant, any_value(variant_type) AS variant_type,
    any_value(variant_rank) AS variant_rank, any_value(variant_order) AS variant_order, step,
    avg(train_smooth) AS train_reward, avg(gold_smooth) AS gold_reward
FROM (
    SELECT *, avg(train_reward) OVER nearby AS train_smooth,
        avg(gold_reward) OVER nearby AS gold_smooth
    FROM step_metrics
    WHERE step IS NOT NULL
    WINDOW nearby AS (
        PARTITION BY sweep, run_id ORDER BY step
        RANGE BETWEEN (total_steps // 30) PRECEDING AND (total_steps // 30) FOLLOWING
    )
)
GROUP BY sweep, model, dataset, variant, step
ORDER BY sweep, model, dataset, variant_order, step

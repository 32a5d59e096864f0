-- One row per prompt; a prompt of several evaluation sets has a row in each, so join on eval_set too
-- where there are further sets.
-- sweep: name of the sweep
-- prompt_id: hash of the prompt
-- dataset: label of the dataset
-- level: difficulty; null where there is none
-- eval_set: evaluation set that asks it: own for the runs' own held-out prompts; null for train prompts
-- split: train, eval or warm_start
-- prompt: text given to the policy
-- gold_answer: hidden right answer
-- gold_key: its answer key
SELECT
    sweep, prompt_id,
    any_value(dataset) AS dataset, any_value(level) AS level, eval_set,
    any_value(split) AS split, any_value(prompt) AS prompt, any_value(gold_answer) AS gold_answer,
    any_value(gold_key) AS gold_key
FROM stg_prompts
GROUP BY sweep, prompt_id, eval_set

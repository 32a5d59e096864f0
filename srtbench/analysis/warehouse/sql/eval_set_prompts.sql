-- One row per prompt of a further evaluation set.
-- sweep: name of the sweep
-- eval_set: label of the set
-- prompt_id: hash of the prompt
-- level: difficulty; null where there is none
-- prompt: text given to the policy
-- gold_answer: hidden right answer
-- gold_key: its answer key
SELECT
    sweep, eval_set, prompt_id,
    any_value(level) AS level, any_value(prompt) AS prompt,
    any_value(gold_answer) AS gold_answer, any_value(gold_key) AS gold_key
FROM stg_eval_set_prompts
GROUP BY sweep, eval_set, prompt_id

-- Scores prompt by prompt: one row per run, evaluation on a set and prompt, for paired comparisons and
-- for intervals. Shares and means are over the completions of the prompt.
-- sweep: name of the sweep
-- run_id: the run
-- model: label of the model
-- dataset: label of the dataset
-- variant: label of the variant
-- variant_type: type of the variant
-- eval_set: the evaluation set
-- seed: seed of the run
-- step: optimiser steps done before the evaluation
-- prompt_id: the prompt
-- samples: completions
-- avg_gold: share of right completions
-- majority_correct: chance that the majority is right when ties are drawn evenly
-- any_correct: whether a completion is right
-- label_correct: whether the pseudo-label, the majority as logged, is right; null without one
-- majority_share: share of the completions that give the most frequent answer
-- unparsable_share: share of completions without an answer
-- truncated_share: share of completions cut off at max_completion_length
-- completion_tokens: mean length in tokens
-- answer_entropy_nats: entropy of the answers
SELECT
    run.sweep, run.run_id, run.model, run.dataset, run.variant, run.variant_type, held.eval_set,
    run.seed, held.step, held.prompt_id, held.samples, held.avg_gold, held.majority_correct,
    held.any_correct, held.label_correct, held.majority_share,
    1 - held.parsable / held.samples AS unparsable_share,
    held.truncated / held.samples AS truncated_share,
    held.completion_tokens, held.answer_entropy_nats
FROM groups AS held
JOIN runs AS run ON run.sweep = held.sweep AND run.run_id = held.run_id
WHERE held.eval_set = $eval_set
    AND ($runs::VARCHAR[] IS NULL
                OR list_contains($runs::VARCHAR[], run.sweep || '/' || run.run_id))
ORDER BY run.sweep, run.run_order, held.step, held.prompt_id

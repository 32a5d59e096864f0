-- One row per completion on a further evaluation set (`eval_sets:`). Sets are kept apart from the
-- run's own held-out prompts: no other view counts these completions.
-- sweep: name of the sweep
-- run_id: run that sampled the completion
-- eval_set: label of the set
-- step: optimiser steps done before the evaluation
-- prompt_id: prompt, as in eval_set_prompts
-- group_id: group: the completions that vote together
-- sample_index: place of the completion in its group, from 0
-- completion: text that the policy wrote
-- completion_tokens: its length in tokens, the end token included
-- truncated: cut off at the set's max_completion_length
-- answer: answer extracted from the completion; null: none found
-- answer_key: canonical form of the answer; null: unparsable
-- pseudo_label: the group's majority
-- vote_share: share of the votes for the most frequent key, as logged
-- gold_reward: 1 if the answer equals the hidden gold answer, else 0
-- verifier_status: ok, unparsable, timeout or error
SELECT
    sweep, run_id, eval_set, step, prompt_id, group_id, sample_index, completion,
    completion_tokens, truncated, answer, answer_key, pseudo_label, vote_share, gold_reward,
    verifier_status
FROM stg_eval_set_rollouts

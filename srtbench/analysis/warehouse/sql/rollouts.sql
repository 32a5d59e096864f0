-- One row per completion, those of every evaluation set included. The evaluation of the start model,
-- which runs share, appears as step 0 of each run that has begun.
-- sweep: name of the sweep
-- run_id: run that sampled the completion
-- phase: train or eval
-- eval_set: evaluation set that the prompt is of: own for the run's own held-out prompts; null in train
-- step: optimiser steps done before an evaluation; step (from 1) that a rollout trains
-- policy_step: optimiser steps that the policy had done when it wrote; null if unknown
-- prompt_id: prompt, as in prompts
-- group_id: group: the completions that vote together
-- sample_index: place of the completion in its group, from 0
-- completion: text that the policy wrote
-- completion_tokens: its length in tokens, the end token included; null if unknown
-- truncated: cut off at max_completion_length; null if unknown
-- answer: answer extracted from the completion; null: none found
-- answer_key: canonical form of the answer; null: unparsable
-- pseudo_label: answer key that the group was rewarded for; in eval the group's majority
-- vote_share: share of the votes for the most frequent key, as logged
-- train_reward: what the optimiser saw; null in eval
-- gold_reward: 1 if the answer equals the hidden gold answer, else 0; null if there is none
-- advantage: advantage that the optimiser used; null in eval
-- mean_logprob: mean log-probability of the completion's tokens, in nats; null if unknown
-- self_certainty: mean KL(uniform || policy) over the completion's tokens, in nats; or null
-- entropy_nats: mean entropy of the policy over the completion's tokens; null if unknown
-- verifier_status: ok, unparsable, timeout or error
-- selected: whether the round's fit has it; null but in train rollouts of rounds
-- role: what it is fitted as: sft, chosen or rejected; null if not selected
-- weight: factor of its loss, or of its pair's; null if not selected
-- their_reward: reward that another trainer logged, in train and eval; null in native runs
-- their_correct: whether that trainer judged the completion right; null if it does not say
-- their_group: what it calls the group; null: the prompt
-- source_file: file of its log that the rollout was read from
SELECT * EXCLUDE (stage_id) FROM stg_rollouts
UNION ALL BY NAME
SELECT start.* EXCLUDE (stage_id) REPLACE (run.run_id AS run_id)
FROM stg_base_rollouts AS start
JOIN planned_runs AS run ON run.sweep = start.sweep AND run.base_eval = start.stage_id
WHERE run.state <> 'waiting' AND NOT run.has_own_start

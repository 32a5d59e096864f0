-- One row per group: the completions of one prompt at one step, and their vote.
-- sweep: name of the sweep
-- run_id: the run
-- phase: train or eval
-- eval_set: the evaluation set: own for the run's own held-out prompts; null in train
-- step: train or eval step
-- group_id: the group
-- prompt_id: prompt of the group
-- samples: completions in the group
-- parsable: completions with an answer
-- distinct_answers: different answers among them
-- majority_key: most frequent answer, ties to the first seen; null: nothing parsed
-- majority_votes: its votes
-- majority_share: its votes as a share of all samples
-- tied_answers: answers that share the first place
-- majority_correct: chance that the majority is right when ties are drawn evenly; null without gold
-- majority_key_correct: whether majority_key is right
-- pseudo_label: answer key that the group was rewarded for; null: none
-- label_correct: whether pseudo_label is right; null without one, or without a gold answer
-- vote_share: vote share as logged
-- avg_gold: mean gold_reward
-- any_correct: whether a completion is right; null without a gold answer
-- train_reward: mean train_reward; null in eval
-- agreeing: completions whose train_reward equals their gold_reward; null in eval
-- same_reward: whether all completions got one train_reward, so nothing can be learnt; null in eval
-- truncated: completions that were cut off
-- failed_checks: completions whose verifier timed out or failed
-- completion_tokens: mean length in tokens
-- answer_entropy_nats: entropy of the answers, unparsable being one of them
-- entropy_nats: mean token entropy of the policy; null if unknown
-- mean_logprob: mean log-probability per token; null if unknown
-- self_certainty: mean self-certainty; null if unknown
WITH counted AS (
    SELECT
        sweep, run_id, phase, eval_set, step, group_id,
        any_value(prompt_id) AS prompt_id,
        sum(votes)::INTEGER AS samples,
        coalesce(sum(votes) FILTER (answer_key IS NOT NULL), 0)::INTEGER AS parsable,
        count(answer_key)::INTEGER AS distinct_answers,
        arg_max(answer_key, votes * 1048576 - first_seen)
            FILTER (answer_key IS NOT NULL) AS majority_key,
        arg_max(is_gold, votes * 1048576 - first_seen)
            FILTER (answer_key IS NOT NULL) AS majority_key_correct,
        coalesce(max(votes) FILTER (answer_key IS NOT NULL), 0)::INTEGER AS majority_votes,
        list(votes) FILTER (answer_key IS NOT NULL) AS all_votes,
        list(votes) FILTER (answer_key IS NOT NULL AND is_gold) AS gold_votes,
        any_value(pseudo_label) AS pseudo_label,
        bool_or(is_gold) FILTER (answer_key = pseudo_label) AS label_graded,
        max(vote_share) AS vote_share,
        sum(gold_total) / sum(votes) AS avg_gold,
        bool_or(is_gold) AS any_correct,
        sum(train_total) / sum(votes) AS train_reward,
        sum(agreeing)::BIGINT AS agreeing,
        min(train_low) = max(train_high) AS same_reward,
        sum(truncated)::BIGINT AS truncated,
        sum(failed_checks)::BIGINT AS failed_checks,
        sum(completion_tokens) / sum(votes) AS completion_tokens,
        ln(sum(votes)) - sum(votes * ln(votes)) / sum(votes) AS answer_entropy_nats,
        sum(entropy_total) / sum(votes) AS entropy_nats,
        sum(logprob_total) / sum(votes) AS mean_logprob,
        sum(certainty_total) / sum(votes) AS self_certainty
    FROM answers
    GROUP BY sweep, run_id, phase, eval_set, step, group_id
), gold AS (  -- what is trained on and the own held-out prompts are of one dataset
    SELECT sweep, coalesce(eval_set, 'own') AS place, prompt_id, any_value(gold_key) AS gold_key
    FROM prompts
    GROUP BY ALL
)
SELECT
    counted.sweep, run_id, phase, eval_set, step, group_id, counted.prompt_id, samples, parsable,
    distinct_answers, majority_key, majority_votes,
    majority_votes / samples AS majority_share,
    coalesce(len(list_filter(all_votes, lambda v: v = majority_votes)), 0)::INTEGER AS tied_answers,
    CASE WHEN any_correct IS NULL THEN NULL WHEN majority_votes = 0 THEN 0.0 ELSE
        coalesce(len(list_filter(gold_votes, lambda v: v = majority_votes)), 0)
        / len(list_filter(all_votes, lambda v: v = majority_votes))
    END AS majority_correct,
    CASE WHEN any_correct IS NOT NULL
        THEN coalesce(majority_key_correct, false) END AS majority_key_correct,
    pseudo_label,
    CASE WHEN pseudo_label IS NOT NULL AND any_correct IS NOT NULL
        THEN coalesce(label_graded, pseudo_label = gold.gold_key, false)
    END AS label_correct,
    vote_share, avg_gold, any_correct, train_reward,
    CASE WHEN train_reward IS NOT NULL THEN agreeing END AS agreeing,
    same_reward, truncated, failed_checks, completion_tokens, answer_entropy_nats, entropy_nats,
    mean_logprob, self_certainty
FROM counted
LEFT JOIN gold
    ON gold.sweep = counted.sweep AND gold.prompt_id = counted.prompt_id
    AND gold.place = coalesce(counted.eval_set, 'own')

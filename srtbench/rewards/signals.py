"""Numbers of a batch of judged groups, under the names of the warehouse's views."""

from collections import Counter
from collections.abc import Mapping, Sequence

from srtbench.answers.grader import gold_reward
from srtbench.rollouts.judge import Columns, group_rows


def signals(columns: Columns, gold_keys: Mapping[str, str | None]) -> dict[str, float]:
    """Means over the groups of a batch; what needs gold is left out where there is none.

    Args:
        columns: of `Judge` and of what it said. gold_keys: prompt_id -> gold key.

    Returns:
        vote_share: mean share of the votes for a group's most frequent answer. unanimous_share:
        groups whose completions all give one answer. answers_per_prompt: mean number of different
        answers. modal_share: completions with the answer most common across prompts.
        parsed_share: completions with an answer. Where every row has gold, also gold_reward,
        reward_accuracy, and label_accuracy (a missing label is wrong).
    """
    keys, groups = columns["answer_key"], group_rows(columns["group_id"])
    cast = [{keys[row] for row in rows} for rows in groups.values()]
    counts = Counter(key for key in keys if key is not None)
    found = {
        "vote_share": _mean([columns["vote_share"][rows[0]] for rows in groups.values()]),
        "unanimous_share": _mean([len(own) == 1 and None not in own for own in cast]),
        "answers_per_prompt": _mean([len(own - {None}) for own in cast]),
        "modal_share": max(counts.values(), default=0) / len(keys),
        "parsed_share": counts.total() / len(keys),
    }
    golds = columns["gold_reward"]
    if None in golds:
        return found
    found["gold_reward"] = _mean(golds)
    rewards = columns["train_reward"]
    found["reward_accuracy"] = _mean([a == b for a, b in zip(rewards, golds, strict=True)])
    firsts = [rows[0] for rows in groups.values()]
    if any(columns["pseudo_label"][row] is not None for row in firsts):
        found["label_accuracy"] = _mean(
            [
                gold_reward(columns["pseudo_label"][row], gold_keys[columns["prompt_id"][row]])
                for row in firsts
            ]
        )
    return found


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)

"""Numbers of a batch of judged groups, under the names of the warehouse's views."""

from collections.abc import Mapping

from srtbench.answers.grader import gold_reward
from srtbench.rollouts.judge import Columns, group_rows
from srtbench.rollouts.signals import batch_signals, mean


def signals(columns: Columns, gold_keys: Mapping[str, str | None]) -> dict[str, float]:
    """Means over the groups of a batch; what needs gold is left out where there is none.

    Args:
        columns: of `Judge` and of what it said. gold_keys: prompt_id -> gold key.

    Returns:
        What `batch_signals` says; vote_share: mean share of the votes for a group's label.
        answers_per_prompt: mean number of different answers. parsed_share: completions with an
        answer. Where every row has gold, also gold_reward, reward_accuracy, and label_accuracy (a
        missing label is wrong).
    """
    keys, groups = columns["answer_key"], group_rows(columns["group_id"])
    cast = [{keys[row] for row in rows} for rows in groups.values()]
    found = batch_signals(columns) | {
        "vote_share": mean([columns["vote_share"][rows[0]] for rows in groups.values()]),
        "answers_per_prompt": mean([len(own - {None}) for own in cast]),
        "parsed_share": mean([key is not None for key in keys]),
    }
    golds = columns["gold_reward"]
    if None in golds:
        return found
    found["gold_reward"] = mean(golds)
    rewards = columns["train_reward"]
    found["reward_accuracy"] = mean([a == b for a, b in zip(rewards, golds, strict=True)])
    firsts = [rows[0] for rows in groups.values()]
    if any(columns["pseudo_label"][row] is not None for row in firsts):
        found["label_accuracy"] = mean(
            [
                gold_reward(columns["pseudo_label"][row], gold_keys[columns["prompt_id"][row]])
                for row in firsts
            ]
        )
    return found

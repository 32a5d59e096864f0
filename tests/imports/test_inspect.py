"""Logs that inspect_ai has written, read through its own reader.

inspect_ai does not resolve beside constraints/cpu.txt, so this runs where it is installed apart, as
docs/import.md says.
"""

from pathlib import Path

import pytest

import srtbench

ASKED = [("a", 1, "2+3?", "5", "5"), ("a", 2, "2+3?", "6", "5"), ("b", 1, "7*8?", "56", "56")]
"""Sample, epoch, question, answer, target."""


def write_log(path: Path, how: str) -> None:
    """A log of three samples, the wrong one cut off; the last asked by a chat message."""
    log = pytest.importorskip("inspect_ai.log", reason="inspect_ai is not installed")
    from inspect_ai.model import ChatMessageUser, ModelOutput, ModelUsage
    from inspect_ai.scorer import Score

    samples = [
        log.EvalSample(
            id=name,
            epoch=epoch,
            input=asked if name == "a" else [ChatMessageUser(content=asked)],
            target=target if name == "a" else [target, "fifty-six"],
            output=ModelOutput.from_content(
                "m", f"So \\boxed{{{answer}}}", "stop" if answer == target else "max_tokens"
            ),
            messages=[],
            scores={"match": Score(value="C" if answer == target else "I", answer=answer)},
            model_usage={"m": ModelUsage(input_tokens=3, output_tokens=7, total_tokens=10)},
        )
        for name, epoch, asked, answer, target in ASKED
    ]
    spec = log.EvalSpec(
        created="2026-01-01T00:00:00+00:00",
        task="my/math task",
        model="m",
        dataset=log.EvalDataset(sample_ids=["a", "b"] if how == "eval" else None),
        config=log.EvalConfig(epochs=2),
    )
    path.parent.mkdir(parents=True)
    log.write_eval_log(
        log.EvalLog(status="success", eval=spec, samples=samples), str(path), format=how
    )


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(("how", "name"), [("eval", "x.eval"), ("json", "x.json"), ("eval", "x")])
def test_a_log_of_inspect_is_read_by_its_content(how: str, name: str, tmp_path: Path) -> None:
    folder = tmp_path / "logs" / "checkpoint-20"
    write_log(folder / f"written.{how}", how)
    (folder / f"written.{how}").rename(folder / name)
    result = srtbench.import_rollouts(tmp_path / "logs", out=tmp_path / "out")
    assert (result.format, result.total, result.skipped) == ("inspect", 3, 0), result.damaged
    rows = srtbench.open_sweep(tmp_path / "out").sql(
        "SELECT step, eval_set, answer_key, gold_reward, their_correct, truncated, "
        "completion_tokens FROM rollouts ORDER BY group_id, sample_index"
    )
    assert rows.fetchall() == [
        (20, "math-task", "5", 1.0, True, False, 7),
        (20, "math-task", "6", 0.0, False, True, 7),
        (20, "math-task", "56", 1.0, True, False, 7),
    ]

"""The command for a first sweep of one's own: `init`."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from srtbench.cli.common import InputError, writing
from srtbench.cli.say import complain, one_line, say

if TYPE_CHECKING:
    from srtbench.init.make import Made
    from srtbench.init.settings import Settings


@click.command(
    epilog="""\b
Examples:
  srtbench init my-study                                  data to begin with: words backward
  srtbench init my-study --data mine.jsonl                rows of one's own
  srtbench init my-study --data t.csv --question q --answer a
"""
)
@click.argument("name", metavar="NAME")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Questions and answers: .jsonl, .parquet or .csv [default: a file is written].",
)
@click.option("--question", metavar="COLUMN", help="Column of the questions [default: found].")
@click.option("--answer", metavar="COLUMN", help="Column of the answers [default: found].")
@click.option(
    "--trial/--no-trial",
    default=True,
    help="Try whether the tiny model learns the data: up to a minute or two.",
)
def init(
    name: str, data: Path | None, question: str | None, answer: str | None, trial: bool
) -> None:
    """Write a commented sweep file, NAME.yaml, that works as it is and is made to be edited.

    With a file of rows, it looks at them, proposes every key, and says what it assumed and why.
    Nothing is overwritten.
    """
    from srtbench.datasets.problems import DatasetError
    from srtbench.init.make import Made, write_schema
    from srtbench.init.sample import write_words
    from srtbench.init.trial import TrialError

    _check_name(name)
    file, rows = Path(f"{name}.yaml"), Path(f"{name}.jsonl")
    command = _command(name, data, question, answer)
    _check_absent(file)
    if data is None:
        _check_absent(rows)
        if question or answer:
            raise InputError("--question and --answer name columns of --data FILE; give it too")
    written: list[Path] = []
    try:
        with writing(file):
            if data is None:
                count = write_words(rows)
                written.append(rows)
                say(f"wrote {rows}: {count} words to be written backward, to begin with")
            made = Made.of(data or rows, rows, question, answer)
            if made.usable.copied:
                _check_absent(rows)
            _say_found(made)
            chosen = made.known() if data is None else _chosen(made, trial)
            if made.usable.copied:
                made.usable.write_copy(rows)
                written.append(rows)
                say(f"wrote {rows}: a copy, {made.usable.copied}")
            with file.open("x", encoding="utf-8") as out:
                written.append(file)
                out.write(made.text(name, file, command, chosen))
            _check_plans(file)
            write_schema(file.parent)
    except (DatasetError, TrialError) as error:
        _take_back(written)
        raise InputError(one_line(error)) from error
    except BaseException:
        _take_back(written)
        raise
    say(f"wrote {file}")
    _say_outlook(made, chosen)
    say("next:")
    for line in (f"plan {file}", f"sweep {file}", f"report {Path('runs') / name}"):
        say(f"  srtbench {line}")


def _command(name: str, data: Path | None, question: str | None, answer: str | None) -> str:
    given = {"--data": data, "--question": question, "--answer": answer}
    parts = [f"{option} {shlex.quote(str(value))}" for option, value in given.items() if value]
    return one_line(" ".join(["srtbench init", name, *parts]))


def _check_name(name: str) -> None:
    from pydantic import TypeAdapter, ValidationError

    from srtbench.sections import Name

    if name.endswith((".yaml", ".yml")):
        raise InputError(
            f"NAME {name}: give the name alone, srtbench init {name.rpartition('.')[0]}"
        )
    try:
        TypeAdapter(Name).validate_python(name)
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise InputError(f"NAME {one_line(name)!r}: {reason}") from None


def _check_absent(path: Path) -> None:
    if path.exists() or path.is_symlink():
        raise InputError(
            f"{path} is there already, and nothing is overwritten: choose another NAME, or move it"
        )


def _check_plans(file: Path) -> None:
    """What is written can be planned; anything else is a mistake of ours, and is shown as one."""
    from srtbench.config.sweep import load_sweep
    from srtbench.plan import plan_sweep

    plan_sweep(load_sweep(file))


def _take_back(written: list[Path]) -> None:
    """A command that fails leaves nothing that would stop the next one."""
    for path in written:
        path.unlink(missing_ok=True)


def _chosen(made: "Made", trial: bool) -> "Settings":
    if not trial or not made.proposal.short:
        return made.untried()
    complain("trying the tiny model on it: a minute or two, longer on a busy machine ...")
    return made.tried(
        lambda shape, step, accuracy: (
            complain(f"  {shape}, step {step}: {accuracy:.0%} right") if step % 100 == 0 else None
        )
    )


def _say_found(made: "Made") -> None:
    """What was read and what is assumed, a line each."""
    from srtbench.config.words import counted
    from srtbench.init.items import some

    table, usable, proposal = made.table, made.usable, made.proposal
    total = len(table.rows) + len(table.broken)
    questions = counted(proposal.questions, "different question")
    say(f"read {one_line(table.path)}: {counted(total, 'row')}, {questions}")
    if usable.left_out:
        left = counted(len(usable.left_out), "row")
        say(f"left out {left}: {one_line(some(usable.left_out))}")
    say("assumed:")
    shown = {"question_column": made.found.question, "answer_column": made.found.answer}
    shown |= proposal.dataset
    for key, value in shown.items():
        reason = proposal.reasons.get(key)
        text = value if isinstance(value, str) else _plain(value)
        say(one_line(f"{key}: {text}") + (f"  ({one_line(reason)})" if reason else ""))
    shown_prompt, shown_gold = proposal.example.prompt[:200], proposal.example.gold[:80]
    say(f"e.g. prompt {shown_prompt!r}, answer {shown_gold!r}")


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {one:g}" for key, one in value.items())
    return str(value)


def _say_outlook(made: "Made", chosen: "Settings") -> None:
    tried = "" if chosen.best is None else f": a trial reached {chosen.best:.0%}"
    match chosen.outlook:
        case "learns":
            say(
                f"the tiny model learns this{tried}; gold reward should raise its accuracy, and "
                "self-reward does where its majorities are mostly right"
            )
        case "weak":
            say(
                f"the tiny model learns some of this{tried}. From so weak a start accuracy may not "
                "rise, and self-reward may fall: its majorities are often wrong. More rows help"
            )
        case "pipeline":
            why = tried or ": its questions or answers are too long for it"
            say(
                f"the tiny model will not learn this{why}. Here it is for trying the pipeline, not "
                "for results; for those, name a pretrained model under `models`"
            )
        case _:
            say("untried: if the warm start fails, lower target_accuracy or run init with a trial")

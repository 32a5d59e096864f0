"""`srtbench init`: what it writes can be planned as it is, trains, and raises accuracy."""

import datetime
import itertools
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner, Result

import srtbench as package
from srtbench.cli import main
from srtbench.config import SweepConfig, load_sweep
from srtbench.config.datasets import FileDataset
from srtbench.config.models import TinyModel
from srtbench.datasets import load_problems
from srtbench.init.settings import shapes
from srtbench.train.prompts import grader_of
from srtbench.train.stages.target_checks import check_targets
from tests.micro import srtbench

Rows = Iterable[dict[str, Any]]
WORDS = ["".join(letters) for letters in itertools.permutations("abcde", 4)]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)))


def write(name: str, rows: Rows) -> Path:
    path = Path(name)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return path


def made(*arguments: object) -> tuple[SweepConfig, str]:
    """The sweep that `init` writes without a trial, planned as it is, and what was said."""
    result = call("init", "mine", *arguments, "--no-trial")
    assert result.exit_code == 0, result.output
    planned = call("plan", "mine.yaml")
    assert planned.exit_code == 0, planned.output
    config = load_sweep("mine.yaml")
    assert isinstance(config, SweepConfig)
    return config, result.stdout


def dataset_of(config: SweepConfig) -> FileDataset:
    (dataset,) = config.datasets
    assert isinstance(dataset, FileDataset)
    return dataset


def pairs(first: int, second: int) -> list[tuple[int, int]]:
    return list(itertools.product(range(first), range(second)))


FILES: dict[str, tuple[Rows, dict[str, str]]] = {
    "additions": (
        [{"question": f"{a}+{b}", "answer": a + b} for a, b in pairs(20, 10)],
        {"answer_kind": "integer", "prompt_template": "{question}="},
    ),
    "a sentence around the numbers": (
        [{"problem": f"What is {a} - {b}?", "solution": str(a - b)} for a, b in pairs(20, 10)],
        {"question_column": "problem", "answer_kind": "integer", "prompt_template": "{question}"},
    ),
    "words": (
        [{"word": word, "reversed": word[::-1]} for word in WORDS],
        {"question_column": "word", "answer_kind": "text", "answer_style": "text"},
    ),
    "other scripts": (
        [
            {"q": "".join(x), "a": "".join(reversed(x))}
            for x in itertools.permutations("äß漢🙂é", 3)
        ],
        {"question_column": "q", "answer_column": "a", "answer_kind": "text"},
    ),
    "leading zeros": (
        [{"question": f"{a:03d}", "answer": f"{a:03d}"[::-1]} for a in range(100)],
        {"answer_kind": "text"},
    ),
    "letters of a choice": (
        [
            {"question": f"Larger? (A) {a} (B) {b}", "answer": "A" if a > b else "B"}
            for a, b in pairs(12, 12)
            if a != b
        ],
        {"answer_kind": "choice"},
    ),
    "options in a list of any length": (
        [
            {
                "question": f"Odd? {n}",
                "choices": {
                    "text": ["2", f"{2 * n + 1}", "4"][: 2 + n % 2],
                    "label": [*"ABC"][: 2 + n % 2],
                },
                "answerKey": "B",
            }
            if n % 3
            else {
                "question": f"Odd? {n}",
                "choices": {"text": ["1", "2"], "label": ["A", "B"]},
                "answerKey": "A",
            }
            for n in range(60)
        ],
        {"path": "mine.jsonl", "answer_kind": "choice"},
    ),
    "an answer within a mapping": (
        [
            {"question": f"{a}+{b}", "answer": {"value": a + b, "steps": []}}
            for a, b in pairs(10, 10)
        ],
        {"answer_column": "answer.value"},
    ),
    "rows of verl": (
        [
            {
                "prompt": [{"role": "user", "content": f"{a}+{b}=?"}],
                "reward_model": {"style": "rule", "ground_truth": str(a + b)},
                "extra_info": {"index": a},
            }
            for a, b in pairs(10, 10)
        ],
        {"question_column": "prompt", "answer_column": "reward_model.ground_truth"},
    ),
    "a conversation with its answer": (
        [
            {
                "messages": [
                    {"role": "system", "content": "Be short."},
                    {"role": "user", "content": f"{a}+{b}"},
                    {"role": "assistant", "content": str(a + b)},
                ]
            }
            for a, b in pairs(10, 10)
        ],
        {"question_column": "messages.-2.content", "answer_column": "messages.-1.content"},
    ),
    "a rationale before the answer": (
        [{"question": f"{a}+{b}", "answer": f"We add.\n#### {a + b}"} for a, b in pairs(10, 10)],
        {"gold_style": "hash", "answer_kind": "integer"},
    ),
    "five rows": ([{"question": f"{a}+1", "answer": a + 1} for a in range(5)], {}),
    "a question with two answers": (
        [{"question": f"{a}", "answer": a + twice} for a in range(40) for twice in {0, a // 39}],
        {"on_bad_gold": "drop"},
    ),
    "long prose": (
        [
            {"question": f"Why is thing {n} as it is?", "answer": f"For reason {n}, which is long."}
            for n in range(40)
        ],
        {"answer_style": "boxed"},
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_what_is_written_fits_the_rows(name: str) -> None:
    rows, expected = FILES[name]
    config, said = made("--data", write("rows.jsonl", rows))
    dataset = dataset_of(config)
    for key, value in expected.items():
        assert getattr(dataset, key) == value
        assert key == "path" or value in said, "what is assumed is said"
    (model,) = config.models
    assert isinstance(model, TinyModel)
    for split in ("train", "eval", "warm_start"):
        absolute = dataset.model_copy(update={"path": str(Path(dataset.path).resolve())})
        problems = load_problems(absolute, split)  # type: ignore[arg-type]
        check_targets(grader_of(dataset), problems)
        characters = set("".join(problem.prompt + problem.target for problem in problems))
        assert characters <= set(model.alphabet)


def table(form: str) -> Path:
    frame = pl.DataFrame([{"left": f"{a} plus {b}", "right": a + b} for a, b in pairs(20, 10)])
    path = Path(f"rows.{form}")
    frame.write_csv(path) if form == "csv" else frame.write_parquet(path)
    return path


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_tables_whose_columns_have_names_of_their_own(form: str) -> None:
    config, said = made("--data", table(form))
    dataset = dataset_of(config)
    assert (dataset.question_column, dataset.answer_column) == ("left", "right")
    assert "right  (one of two columns; the other one asks)" in said


def test_rows_without_an_answer_are_left_out_of_a_copy() -> None:
    rows = [{"question": f"{a}+{b}", "answer": None if a == b else a + b} for a, b in pairs(9, 9)]
    config, said = made("--data", write("rows.jsonl", rows))
    assert "left out 9 rows: row 1: 'answer' is null" in said
    assert dataset_of(config).path == "mine.jsonl"
    assert Path("mine.jsonl").read_text().count("\n") == 72


def test_data_too_long_for_the_tiny_model_are_said_to_be() -> None:
    _, said = made("--data", write("rows.jsonl", FILES["long prose"][0]))
    assert "the tiny model will not learn this" in said
    assert "for trying the pipeline, not for results;" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["my study"], "a name holds letters, digits"),
        (["a/b"], "a name holds letters, digits"),
        (["mine.yaml"], "give the name alone, srtbench init mine"),
        (["mine", "--data", "none.jsonl"], "none.jsonl: no such file"),
        (["mine", "--data", "rows.txt"], "unknown file type; allowed: .csv, .jsonl, .parquet"),
        (["mine", "--data", "one.jsonl"], "1 different question cannot be divided"),
        (["mine", "--data", "null.jsonl"], "'answer' is empty in every row"),
        (
            ["mine", "--data", "three.jsonl"],
            "the question and which the answer; name them with --q",
        ),
        (["mine", "--data", "none.csv"], "'question' is the only column: questions need answers"),
        (["mine", "--data", "row.csv"], "let the file begin with a header, e.g. question,answer"),
        (["mine", "--data", "wide.csv"], "not UTF-8, but UTF-16 or no text: save it as UTF-8"),
        (["mine", "--data", "marks.csv"], "has no comma but ';': separate the columns by commas"),
        (["mine", "--data", "empty.jsonl"], "'answer' holds a list, neither text nor a number"),
        (["mine", "--data", "days.parquet"], "'answer' holds a date, neither text nor a number"),
        (["mine", "--data", "both.jsonl"], "the key 'answer' stands twice"),
        (["mine", "--data", "three.jsonl", "--answer", "cc"], "did you mean 'ccc'?"),
        (["mine", "--data", "broken.jsonl"], "no row can be read, e.g. row 1: not valid JSON"),
        (["mine", "--question", "q"], "--question and --answer name columns of --data"),
    ],
)
def test_what_cannot_be_done_is_one_line(arguments: list[str], message: str) -> None:
    write("one.jsonl", [{"question": "1+1", "answer": 2}])
    write("null.jsonl", [{"question": "1+1", "answer": None}] * 9)
    write("three.jsonl", [{"aaa": n, "bbb": n, "ccc": n} for n in range(9)])
    Path("broken.jsonl").write_text("{\n")
    Path("both.jsonl").write_text('{"question": "1+1", "answer": 2, "answer": 3}\n')
    write("empty.jsonl", [{"question": "1+1", "answer": []}] * 9)
    days = [datetime.date(2026, 1, 1 + n) for n in range(9)]
    pl.DataFrame({"question": ["1+1"] * 9, "answer": days}).write_parquet("days.parquet")
    Path("none.csv").write_text("question\n1+1\n")
    Path("row.csv").write_text("".join(f"{n}+1,{n + 1}\n" for n in range(9)))
    Path("wide.csv").write_text("question,answer\n1+1,2\n", encoding="utf-16")
    Path("marks.csv").write_text("question;answer\n1+1;2\n")
    Path("rows.txt").touch()
    before = sorted(Path().iterdir())
    result = call("init", *arguments)
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert sorted(Path().iterdir()) == before, "what fails leaves nothing"


@pytest.mark.parametrize("taken", ["mine.yaml", "mine.jsonl"])
def test_nothing_is_overwritten(taken: str) -> None:
    Path(taken).write_text("mine")
    result = call("init", "mine")
    assert result.exit_code == 2
    assert result.stderr == (
        f"error: {taken} is there already, and nothing is overwritten: choose another NAME, or "
        "move it\n"
    )
    assert Path(taken).read_text() == "mine"
    assert [path.name for path in Path().iterdir()] == [taken]


def test_the_file_has_the_comment_and_the_schema_that_editors_use() -> None:
    made()
    first = Path("mine.yaml").read_text().partition("\n")[0]
    assert first == "# yaml-language-server: $schema=sweep.schema.json"
    assert json.loads(Path("sweep.schema.json").read_text())["$schema"]


def test_a_trial_decides_on_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("srtbench.init.trial.CPU_SECONDS", 0.1)  # until its first check
    monkeypatch.setattr("srtbench.init.make.shapes", lambda proposal: shapes(proposal)[:1])
    rows, _ = FILES["additions"]
    result = call("init", "mine", "--data", write("rows.jsonl", rows))
    assert result.exit_code == 0, result.output
    assert "the tiny model will not learn this: a trial reached " in result.stdout
    config = load_sweep("mine.yaml")
    assert isinstance(config, SweepConfig)
    (model,) = config.models
    assert isinstance(model, TinyModel)
    assert model.warm_start.target_accuracy == 0
    assert call("plan", "mine.yaml").exit_code == 0


@pytest.mark.parametrize(
    ("reached", "target", "said"),
    [
        (0.7, 0.6, "the tiny model learns this: a trial reached 70%"),
        (0.4, 0.34, "the tiny model learns some of this: a trial reached 40%"),
    ],
)
def test_what_a_trial_reached_ends_the_warm_start(
    monkeypatch: pytest.MonkeyPatch, reached: float, target: float, said: str
) -> None:
    monkeypatch.setattr("srtbench.init.make.try_warm_start", lambda *_: [(20, reached)])
    rows, _ = FILES["additions"]
    result = call("init", "mine", "--data", write("rows.jsonl", rows))
    assert said in result.stdout
    config = load_sweep("mine.yaml")
    assert isinstance(config, SweepConfig)
    (model,) = config.models
    assert isinstance(model, TinyModel)
    assert model.warm_start.target_accuracy == target
    assert call("plan", "mine.yaml").exit_code == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rows", "rising"), [([], {"gold", "srt"}), (FILES["additions"][0], {"gold"})]
)
def test_each_step_works_as_printed_and_accuracy_rises(rows: Rows, rising: set[str]) -> None:
    """On 200 additions self-reward may fall: docs/first_study.md says how often it did."""
    data = ("--data", write("additions.jsonl", rows), "--no-trial") if rows else ()
    said = srtbench("init", "mine", *data)
    assert said.returncode == 0, said.stdout + said.stderr
    steps = said.stdout.partition("next:\n")[2].splitlines()
    for step, command in zip(steps, ("plan", "sweep", "report"), strict=True):
        program, *arguments = step.split()
        assert (program, arguments[0]) == ("srtbench", command)
        done = srtbench(*arguments, timeout=900)
        assert done.returncode == 0, done.stdout + done.stderr
    curve = package.open_sweep("runs/mine").sql(
        "select variant, first(avg_at_k order by step) as before, "
        "last(avg_at_k order by step) as after from eval_curves group by variant order by variant"
    )
    rises = {variant: after - before for variant, before, after in curve.fetchall()}
    assert rises.keys() == {"gold", "srt"}
    assert min(rises[variant] for variant in rising) > 0, rises
    assert Path("runs/mine/report/report.html").is_file()

"""Variants from outside: the example of the documentation, and everything that can go wrong."""

import hashlib
import importlib.metadata
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from srtbench.config import load_sweep
from srtbench.config.errors import ConfigError
from srtbench.config.variants import BUILT_IN, AllOfEntry, VariantConfig, WeightedEntry
from srtbench.plan import plan_sweep
from srtbench.replay.audit import audit_sweep
from srtbench.replay.revote import RevoteError, revote_sweep
from srtbench.rollouts import read_rollouts
from srtbench.variants import VARIANTS, VariantContext, VariantError, build_variant
from srtbench.variants.external import source_sha256
from srtbench.votes import VotingPolicy
from tests.micro import CONTENT, srtbench, write_sweep

DOCS = Path(__file__).parents[2] / "docs" / "variants.md"


def config(entry: Any) -> Any:
    return TypeAdapter(VariantConfig).validate_python(entry)


def example(language: str) -> str:
    """The documented example: its Python file, or its entry in a sweep file."""
    section = DOCS.read_text().split("## Your own variant")[1]
    return re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)[0]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "my_reward.py"
    path.write_text(example("python"))
    return path


def test_the_example_is_short() -> None:
    assert len(example("python").splitlines()) <= 15


@pytest.mark.slow
def test_the_example_trains(file: Path) -> None:
    import yaml

    entries = yaml.safe_load(example("yaml"))["variants"]
    train = CONTENT["train"] | {"steps": 2}
    sweep = write_sweep(file.parent, name="own", variants=entries, train=train)
    result = srtbench("sweep", sweep, "--root", file.parent / "runs")
    assert result.returncode == 0, result.stdout + result.stderr
    run = plan_sweep(load_sweep(sweep)).runs[0]
    assert run.variant_label == "ShortMajority"
    rollouts = read_rollouts(file.parent / "runs" / "own" / run.run_id / "rollouts", "train")
    assert len(set(rollouts["train_reward"].to_pylist())) > 1
    report = audit_sweep(file.parent / "runs" / "own", run_code=True)
    assert report.ok
    assert report.checked["train_reward"]


@pytest.mark.slow
def test_a_file_that_changed_since_the_run_is_not_judged_with(file: Path) -> None:
    path = f"{file.name}:ShortMajority"
    part = {"type": "python", "path": path, "options": {"limit": 3}}
    entries = [part, {"type": "all_of", "parts": ["srt", part]}]
    train = CONTENT["train"] | {"steps": 2}
    sweep = write_sweep(file.parent, name="own", variants=entries, train=train)
    result = srtbench("sweep", sweep, "--root", file.parent / "runs")
    assert result.returncode == 0, result.stdout + result.stderr
    folder = file.parent / "runs" / "own"
    unread = audit_sweep(folder)
    assert unread.ok
    assert sum("not judged again" in note for note in unread.notes) == 2
    assert (unread.checked["train_reward"], unread.checked["advantage"]) == (0, 2 * 2 * 16)
    assert audit_sweep(folder, run_code=True).ok
    target, rows = revote_sweep(folder, VotingPolicy(tie="abstain"))
    assert all(row.note and not row.votes for row in rows)
    target, rows = revote_sweep(folder, VotingPolicy(tie="abstain"), run_code=True)
    assert not any(row.note for row in rows)
    assert audit_sweep(target, run_code=True).breaches == [], (
        "its run ids are those of the trained entries"
    )
    file.write_text(file.read_text().replace("return Judgement(", "return Judgement(1 - "))
    for place in (folder, target):
        breaches = audit_sweep(place, run_code=True).breaches
        assert [breach.column for breach in breaches] == ["structure"] * 2
        assert all("has changed since the run" in breach.message for breach in breaches)
    before = (target / "plan.json").read_bytes()
    with pytest.raises(RevoteError, match="has changed since the run"):
        revote_sweep(folder, VotingPolicy(tie="abstain"), run_code=True)
    assert (target / "plan.json").read_bytes() == before
    (file.parent / "swap.jsonl").unlink()
    assert any("cannot be told" in note for note in audit_sweep(folder).notes)
    file.unlink()
    assert audit_sweep(folder).ok
    messages = [b.message for b in audit_sweep(folder, run_code=True).breaches]
    assert len(messages) == 2
    assert all("not found" in message for message in messages)


def test_digest_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_bytes(b"x = 1\n")
    digest = hashlib.sha256(b"x = 1\n").hexdigest()
    assert source_sha256(tmp_path / "mine.py") == digest
    with pytest.raises(VariantError, match="cannot be read"):
        source_sha256(tmp_path / "absent.py")


@pytest.mark.parametrize("kind", ["all_of", "weighted"])
def test_two_electorates_are_refused_when_the_sweep_file_is_read(kind: str) -> None:
    inner = {"type": "all_of", "parts": ["srt", "ema_teacher"]}
    for parts in (["ttrl", "ema_teacher"], ["ttrl", inner]):
        with pytest.raises(ValidationError, match="at most one part may"):
            config({"type": kind, "parts": parts})
    config({"type": kind, "parts": ["srt", "ttrl"]})


def test_the_source_and_the_options_are_part_of_the_run_id(file: Path) -> None:
    def run_id(**options: Any) -> str:
        entry = {"type": "python", "path": f"{file.name}:ShortMajority", "options": options}
        sweep = write_sweep(file.parent, variants=[entry])
        return plan_sweep(load_sweep(sweep)).runs[0].run_id

    first = run_id()
    assert run_id() == first
    assert run_id(limit=3) != first
    part = {"type": "python", "path": f"{file.name}:ShortMajority"}
    combined = [{"type": "all_of", "parts": ["srt", part]}]
    whole = plan_sweep(load_sweep(write_sweep(file.parent, variants=combined))).runs[0].run_id
    file.write_text(file.read_text() + "# changed\n")
    assert run_id() != first
    again = plan_sweep(load_sweep(write_sweep(file.parent, variants=combined))).runs[0].run_id
    assert again != whole


def test_what_can_be_wrong_with_a_file(tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("import nothing_of_that_name\n")
    plain = tmp_path / "plain.py"
    plain.write_text("class Mine:\n    pass\n")
    for path, message in (
        (f"{tmp_path}/absent.py:Mine", "not found"),
        (f"{broken}:Mine", "nothing_of_that_name"),
        (f"{plain}:Mine", "no subclass"),
        (f"{plain}:Yours", "no subclass"),
    ):
        with pytest.raises(VariantError, match=message):
            config({"type": "python", "path": path}).load()
    for path in ("my_reward.py", "my_reward:Mine", "my_reward.py:not a name"):
        with pytest.raises(ValidationError, match="match pattern"):
            config({"type": "python", "path": path})


def test_a_missing_file_is_reported_by_the_sweep_file(tmp_path: Path) -> None:
    sweep = write_sweep(tmp_path, variants=[{"type": "python", "path": "absent.py:Mine"}])
    with pytest.raises(
        ConfigError, match=r"line \d+, variants\[0\]\.path: file '.*absent\.py' not found"
    ):
        load_sweep(sweep)


def test_entry_points(monkeypatch: pytest.MonkeyPatch) -> None:
    class Distribution:
        name, version = "some-package", "1.2"

    entry = importlib.metadata.EntryPoint(
        "mine", "srtbench.variants.format:Format", "srtbench.variants"
    )
    vars(entry).update(dist=Distribution())
    found = importlib.metadata.EntryPoints([entry])
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **wanted: found.select(**wanted))
    chosen = config({"type": "plugin", "plugin": "mine"})
    assert chosen.distribution == "some-package 1.2"
    assert chosen.label == "mine"
    assert isinstance(build_variant(chosen, VariantContext()), VARIANTS["format"])
    with pytest.raises(ValidationError, match="installed: mine"):
        config({"type": "plugin", "plugin": "other"})


def test_the_documentation_lists_every_variant_and_option() -> None:
    sections = BUILT_IN | {"all_of": AllOfEntry, "weighted": WeightedEntry}
    table: dict[str, str] = {}  # the first row of a name: later tables are of results
    for match in re.finditer(r"^\| `(\w+)`.*$", DOCS.read_text(), re.MULTILINE):
        table.setdefault(match[1], match[0])
    shared = {"type", "name", "train", "eval", "recipe"}
    for name in [*VARIANTS, "all_of", "weighted"]:
        assert name in table, name
        published = VARIANTS[name].published if name in VARIANTS else None
        if published is not None:
            assert f"| {published} | {published.updates or ''}".rstrip() in table[name], name
        if "as `fixed_teacher`" not in table[name]:
            for option in set(sections[name].model_fields) - shared:
                assert f"`{option}`" in table[name], f"{name}.{option}"

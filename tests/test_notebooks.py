"""The notebooks: clean as committed, and the built wheel runs them top to bottom on any sweep."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from tests.fake_sweep import Shape, write_fake_sweep
from tests.micro import trained_once
from tests.rounds import write

nbclient = pytest.importorskip("nbclient", reason="needs the extra `notebooks`")
nbformat = pytest.importorskip("nbformat", reason="needs the extra `notebooks`")
pytest.importorskip("ipykernel", reason="needs the extra `notebooks`")

FOLDER = Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
NAMES = (
    "01_quickstart",
    "02_accuracy_and_majority",
    "03_collapse",
    "04_compare_variants",
    "05_rollouts",
    "06_your_own_variant",
    "rounds",
)
WHERE = """import sys
print(*(m.__file__ for n, m in sys.modules.items() if n.split(".")[0] == "srtbench"), sep="\\n")"""
WITH_A_CLASS = "06_your_own_variant"
by_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def sources(path: Path) -> list[str]:
    """Code cells, without the lines that are IPython's."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    lines = ("".join(cell["source"]).splitlines() for cell in cells if cell["cell_type"] == "code")
    return ["\n".join(line for line in cell if not line.startswith("%")) for cell in lines]


def execute(path: Path, folder: Path, installed: Path) -> Any:
    """Run a notebook in a fresh kernel that works in ``folder``; returns it with its outputs.

    Its last cell, which is not in the file, shows that srtbench came from the wheel.
    """
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(WHERE))
    nbclient.NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    ).execute()
    (said,) = notebook.cells.pop().outputs
    found = [Path(line) for line in said["text"].split("\n") if line]
    assert len(found) > 3
    assert all(place.is_relative_to(installed) for place in found), found
    return notebook


@pytest.fixture(autouse=True)
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings or history of the user, and no sweep of theirs."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.delenv("SRTBENCH_SWEEP", raising=False)


def test_all_are_there() -> None:
    assert tuple(path.stem for path in NOTEBOOKS) == NAMES


@by_notebook
def test_as_committed(path: Path) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    cells = content["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in code)
    assert code[0]["metadata"]["tags"] == ["parameters"]
    assert "sweep_path" in "".join(code[0]["source"])
    assert cells[0]["cell_type"] == "markdown"
    assert set(content["metadata"]) == {"kernelspec", "language_info"}


@by_notebook
def test_functions_are_in_the_package(path: Path) -> None:
    trees = [ast.parse(source) for source in sources(path)]
    defined = [
        node
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef)
    ]
    names = [getattr(node, "name", "lambda") for node in defined]
    assert names == (["BandedMajority", "judge"] if path.stem == WITH_A_CLASS else [])


@by_notebook
def test_runs_on_the_committed_sweep(
    path: Path, installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From its own folder, without a setting."""
    monkeypatch.setenv("PYTHONPATH", str(installed))
    notebook = execute(path, FOLDER, installed)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.get("name") == "stderr"]
    assert [output for output in outputs if "data" in output]


@pytest.mark.parametrize("name", ["02_accuracy_and_majority", "04_compare_variants"])
def test_runs_elsewhere_on_another_sweep(
    name: str, tmp_path: Path, installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several seeds and datasets, a failed and a waiting run, from an unrelated folder."""
    task = {"type": "reasoning_gym", "task": "spell_backward", "answer_kind": "text"}
    sweep = write_fake_sweep(
        tmp_path,
        Shape(steps=20, every=10, prompts_per_step=2, generations=4, eval_prompts=6),
        states={("srt", 1): "failed", ("gold", 0): "waiting"},
        datasets=[task | {"level": 5}, task | {"level": 6}],
    )
    monkeypatch.setenv("PYTHONPATH", str(installed))
    monkeypatch.setenv("SRTBENCH_SWEEP", str(sweep))
    (tmp_path / "elsewhere").mkdir()
    execute(FOLDER / f"{name}.ipynb", tmp_path / "elsewhere", installed)


def test_rounds_run_beside_online_variants(
    tmp_path_factory: pytest.TempPathFactory, installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a sweep that has both, so that the tables of rounds are not empty."""
    sweep = trained_once(tmp_path_factory.getbasetemp(), "rounds", write)
    monkeypatch.setenv("PYTHONPATH", str(installed))
    monkeypatch.setenv("SRTBENCH_SWEEP", str(sweep.store.path))
    notebook = execute(FOLDER / "rounds.ipynb", FOLDER, installed)
    shown = json.dumps([cell.get("outputs") for cell in notebook.cells])
    assert "right_of_selected" in shown
    assert "rewards/margins" in shown
    assert "start model votes" in shown

"""The built wheel, away from the checkout: editable installs hide missing files and bad imports."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

FIXTURE = Path(__file__).parent / "fixtures" / "smoke"


def run(installed: Path, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(installed)}
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True
    )


def test_the_report_of_real_rollouts_is_made_by_the_wheel(installed: Path, tmp_path: Path) -> None:
    shutil.copytree(FIXTURE, tmp_path / "smoke")
    result = run(installed, tmp_path, "-m", "srtbench.cli", "report", "smoke")
    assert result.returncode == 0, result.stderr
    report = tmp_path / "smoke" / "report"
    assert (report / "report.html").stat().st_size > 10_000
    assert len(list((report / "figures").glob("*.png"))) >= 4
    assert len(list((report / "figures").glob("*.svg"))) >= 4
    assert len(list((report / "tables").glob("*.csv"))) >= 4


def test_analysis_by_the_wheel_loads_no_torch(installed: Path, tmp_path: Path) -> None:
    code = (
        "import sys, pathlib, srtbench\n"
        f"assert pathlib.Path(srtbench.__file__).is_relative_to({str(installed)!r})\n"
        f"sweep = srtbench.open_sweep({str(FIXTURE)!r})\n"
        "assert sweep.execute('select count(*) from eval_curves').fetchall()[0][0] > 0\n"
        "sys.exit(1 if {'torch', 'trl', 'transformers'} & set(sys.modules) else 0)"
    )
    result = run(installed, tmp_path, "-c", code)
    assert result.returncode == 0, result.stderr


def test_the_wheel_holds_the_package_and_no_study(installed: Path) -> None:
    names = {path.name for path in installed.iterdir() if not path.name.endswith(".dist-info")}
    assert names - {"bin", "__pycache__"} == {"srtbench"}
    assert (installed / "bin" / "srtbench").is_file()
    assert (installed / "srtbench" / "py.typed").is_file()

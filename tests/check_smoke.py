"""What the smoke sweep must show, loosely: python tests/check_smoke.py runs/smoke."""

import sys
from pathlib import Path

import srtbench


def main(path: Path) -> None:
    """Exit with a message if self-reward did not rise, or did not collapse at the high rate."""
    rows = (
        srtbench.open_sweep(path)
        .execute("select variant, step, avg_at_k, maj_at_k from eval_curves order by step")
        .fetchall()
    )
    curves: dict[str, list[tuple[float, float]]] = {}
    for variant, _, avg, maj in rows:
        curves.setdefault(variant, []).append((avg, maj))
    checks = {
        "six runs are evaluated": len(curves) == 6,
        "srt raises accuracy": curves["srt"][-1][0] > curves["srt"][0][0] + 0.05,
        "gold raises accuracy": curves["gold"][-1][0] > curves["gold"][0][0] + 0.05,
        "lmsi raises accuracy": curves["lmsi"][-1][0] > curves["lmsi"][0][0] + 0.05,
        "random reward does not": curves["random"][-1][0] < curves["random"][0][0],
        "srt at the high rate collapses": curves["srt-high-lr"][-1][0] < 0.1,
        "the report is there": (path / "report" / "report.html").stat().st_size > 10_000,
        "its figures are there": len(list((path / "report" / "figures").glob("*.png"))) >= 4,
    }
    for name, holds in checks.items():
        print(f"{'ok  ' if holds else 'FAIL'} {name}")
    if not all(checks.values()):
        sys.exit("the smoke sweep does not show what it should")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

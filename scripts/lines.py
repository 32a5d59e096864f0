"""Count the product: lines of Python in `srtbench/` and in the study, by room.

python scripts/lines.py [--worktree DIR]
"""

import argparse
from collections import Counter
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


def count(root: Path) -> Counter[str]:
    """Lines by folder directly below `srtbench`, and of `analysis` as a whole."""
    lines: Counter[str] = Counter()
    for module in sorted([*root.glob("srtbench/**/*.py"), *root.glob("analysis/**/*.py")]):
        parts = module.relative_to(root).parts
        room = "/".join(parts[:2]) if parts[0] == "srtbench" else parts[0]
        lines[room] += module.read_text(encoding="utf-8").count("\n")
    return lines


def main() -> None:
    """Print a line per room, and the sums."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worktree", type=Path, default=REPOSITORY, help="another checkout")
    lines = count(parser.parse_args().worktree)
    for room, number in sorted(lines.items()):
        print(f"{number:7,}  {room}")
    package = sum(number for room, number in lines.items() if room != "analysis")
    print(f"{package:7,}  srtbench\n{lines['analysis']:7,}  analysis\n{lines.total():7,}  in all")


if __name__ == "__main__":
    main()

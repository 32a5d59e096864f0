"""The steps of `scripts/gpu_check.sh`, and the report of what they came to.

    python scripts/gpu_check.py --device cuda --out gpu_check.md

Every step is a command that a user could give. A step that fails is in the report with the end of
what it printed, and the others go on.
"""

import argparse
import datetime
import importlib.metadata
import importlib.util
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).resolve().parent.parent
SRTBENCH = (sys.executable, "-m", "srtbench.cli")
PACKAGES = ("srtbench", "torch", "trl", "transformers", "accelerate", "vllm")
LARGE: dict[str, Any] = {
    "type": "tiny",
    "name": "large",
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_layers": 16,
    "num_heads": 16,
    "warm_start": {"max_steps": 10, "target_accuracy": 0, "batch_size": 64},
}
"""270 M parameters: large enough that weights, gradients and moments outweigh torch itself."""

SHORT: dict[str, Any] = {
    "type": "tiny",
    "warm_start": {"max_steps": 2, "check_every": 2, "check_prompts": 8, "target_accuracy": 0},
}
"""What a rehearsal trains."""


@dataclass
class Step:
    """What was done: ``state`` is ``ok``, ``failed`` or the reason why it was left out."""

    title: str
    state: str
    seconds: float = 0.0
    said: str = ""


class Check:
    """Runs the steps and keeps what they came to."""

    def __init__(self, device: str, folder: Path):
        self.device = device
        self.folder = folder
        self.steps: list[Step] = []
        self.environment = dict(os.environ)
        if device == "cpu":
            self.environment |= {"CUDA_VISIBLE_DEVICES": "", "SRTBENCH_GPU_REHEARSAL": "1"}

    @property
    def ok(self) -> bool:
        """Whether no step failed."""
        return all(step.state != "failed" for step in self.steps)

    def run(self, title: str, *command: object) -> bool:
        """Run a command in the checkout; True if it ended well."""
        print(f"{title} ...", flush=True)
        started = time.monotonic()
        done = subprocess.run(
            [*map(str, command)],
            cwd=REPOSITORY,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        state = "ok" if done.returncode == 0 else "failed"
        seconds = time.monotonic() - started
        self.steps.append(Step(title, state, seconds, done.stdout))
        print(f"{title}: {state} ({seconds:.0f} s)", flush=True)
        return done.returncode == 0

    def leave_out(self, title: str, reason: str) -> None:
        """Note a step that cannot be done here."""
        print(f"{title}: {reason}", flush=True)
        self.steps.append(Step(title, reason))


def smoke(device: str, folder: Path) -> Path:
    """The smoke sweep, each variant in float32 and once more with bfloat16; short on a CPU."""
    from srtbench.variants import VARIANTS

    content = yaml.safe_load((REPOSITORY / "sweeps" / "smoke.yaml").read_text(encoding="utf-8"))
    variants = []
    for entry in content["variants"] if device == "cuda" else ["srt"]:
        one: dict[str, Any] = {"type": entry} if isinstance(entry, str) else entry
        for name, bf16 in (("fp32", False), ("bf16", True)):
            trl: dict[str, Any] = {"trl": {"bf16": bf16}}
            trl = {"fit": trl} if VARIANTS[one["type"]].method == "rounds" else trl
            train = {**one.get("train", {}), **trl}
            label = f"{one.get('name', one['type'])}-{name}"
            variants.append({**one, "name": label, "train": train})
    content |= {"name": "gpu-smoke", "variants": variants}
    if device == "cpu":
        content["models"] = [SHORT]
        content["train"] = {"steps": 2}
        content["eval"] = {"every": 2, "prompts": 8, "samples": 4}
    return _written(folder / "gpu-smoke.yaml", content)


def large(device: str, folder: Path) -> Path:
    """The smoke sweep's task on a model whose memory says something; on a CPU the tiny one."""
    content = yaml.safe_load((REPOSITORY / "sweeps" / "smoke.yaml").read_text(encoding="utf-8"))
    content["models"] = [LARGE]
    if device == "cpu":
        content["models"] = [SHORT]
        content["eval"] = {"prompts": 8, "samples": 4}
    return _written(folder / "large.yaml", content)


def _written(path: Path, content: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


def speeds(sweep: Path, root: Path) -> list[str]:
    """Rows of a table: completion tokens of a run, and how many it came to per second."""
    from srtbench import load_sweep, plan_sweep
    from srtbench.rollouts import read_rollouts
    from srtbench.store import SweepStore

    plan = plan_sweep(load_sweep(sweep))
    store, rows = SweepStore(root, plan.name), []
    for run in plan.runs:
        folder = store.run(run.run_id)
        status = folder.read_status()
        tokens = sum(read_rollouts(folder.rollouts_path)["completion_tokens"].to_pylist())
        rate = f"{tokens / status.wall_seconds:,.0f}" if status.wall_seconds else "unknown"
        rows.append(
            f"| {run.variant_label} | {status.state} | {tokens:,} | {status.wall_seconds or 0:.1f} "
            f"| {rate} |"
        )
    return rows


def facts(device: str) -> list[str]:
    """The machine, as lines of the report."""
    import torch

    found = []
    for name in PACKAGES:
        version = None
        if importlib.util.find_spec(name) is not None:
            version = importlib.metadata.version(name)
        found.append(f"{name} {version or 'not installed'}")
    lines = [
        f"- date: {datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC",
        f"- machine: {platform.platform()}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}",
        f"- versions: {', '.join(found)}",
    ]
    if device == "cpu":
        return [*lines, "- device: **cpu, a rehearsal: nothing below was run on a GPU**"]
    for index in range(torch.cuda.device_count()):
        one = torch.cuda.get_device_properties(index)
        lines.append(
            f"- device {index}: {one.name}, {one.total_memory / 1e9:.0f} GB, compute capability "
            f"{one.major}.{one.minor}, CUDA {torch.version.cuda}"
        )
    return lines


def report(check: Check, rows: Sequence[str]) -> str:
    """The page, in Markdown."""
    lines = ["# srtbench on a GPU", "", *facts(check.device), "", "| step | result | seconds |"]
    lines += ["|---|---|---|"]
    lines += [f"| {step.title} | {step.state} | {step.seconds:.0f} |" for step in check.steps]
    if rows:
        lines += ["", "## Tokens per second", "", "Completion tokens, training and evaluations,"]
        lines += ["over the whole time of a run.", ""]
        lines += ["| run | state | tokens | seconds | tokens/s |", "|---|---|---|---|---|", *rows]
    for step in check.steps:
        if step.said:
            kept = step.said.strip().splitlines()[-40 if step.state == "failed" else -15 :]
            lines += ["", f"## {step.title}: {step.state}", "", "```", *kept, "```"]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--out", type=Path, default=Path("gpu_check.md"))
    chosen = parser.parse_args()
    if chosen.device == "cuda":
        import torch

        if not torch.cuda.is_available():
            print(f"gpu_check: torch {torch.__version__} sees no GPU", file=sys.stderr)
            return 2
    rows: list[str] = []
    with tempfile.TemporaryDirectory(prefix="gpu_check") as name:
        folder, root = Path(name), Path(name) / "runs"
        check = Check(chosen.device, folder)
        tests = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "gpu")
        check.run("tests marked gpu", *tests, "tests/gpu")
        sweep = smoke(chosen.device, folder)
        if check.run(
            "smoke sweep, float32 and bfloat16", *SRTBENCH, "sweep", sweep, "--root", root
        ):
            check.run("its audit", *SRTBENCH, "audit", root / "gpu-smoke")
            rows = speeds(sweep, root)
        calibration = REPOSITORY / "benchmarks" / "cost_calibration.py"
        steps = 20 if chosen.device == "cuda" else 2
        check.run(
            "memory and time against the plan",
            *(sys.executable, calibration, large(chosen.device, folder)),
            *("--steps", steps, "--device", chosen.device),
        )
        title = "transformers against vLLM"
        if importlib.util.find_spec("vllm") is None:
            check.leave_out(title, "left out: vLLM is not installed")
        elif check.run(
            "vLLM's sweep", *SRTBENCH, "sweep", REPOSITORY / "sweeps" / "vllm.yaml", "--root", root
        ):
            engines = REPOSITORY / "benchmarks" / "engines.py"
            check.run(title, sys.executable, engines, "--root", root)
    chosen.out.write_text(report(check, rows), encoding="utf-8")
    print(f"report: {chosen.out}")
    return 0 if check.ok else 1


if __name__ == "__main__":
    sys.exit(main())

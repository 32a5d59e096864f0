"""The proof: a sweep of one run and three steps in a temporary folder, started as by a user."""

import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from srtbench.doctor.finding import Finding

SECONDS = 240
"""After which it is given up."""

_LETTERS = "abcdefghijklmnop"
_SWEEP = {
    "name": "proof",
    "models": [
        {
            "type": "tiny",
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_layers": 1,
            "num_heads": 2,
            "alphabet": f"{_LETTERS}=",
            "max_length": 32,
            "warm_start": {
                "batch_size": 64,
                "learning_rate": 1e-2,
                "target_accuracy": 0.15,
                "check_every": 10,
                "check_prompts": 16,
                "check_samples": 2,
                "max_steps": 300,
            },
        }
    ],
    "datasets": [
        {
            "type": "file",
            "path": "pairs.jsonl",
            "prompt_template": "{question}=",
            "answer_kind": "text",
        }
    ],
    "variants": ["srt"],
    "seeds": [0],
    "train": {
        "steps": 3,
        "prompts_per_step": 4,
        "num_generations": 4,
        "max_completion_length": 6,
        "learning_rate": 1e-3,
    },
    "eval": {"every": 3, "prompts": 8, "samples": 4},
}
_COMMANDS = (("sweep", "proof.yaml"), ("audit", "runs/proof"))


def prove() -> Finding:
    """Train, log and audit; the finding has the time, or the lines in which it failed.

    The commands are processes of their own, ended with their children when time is over.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="srtbench-doctor-") as name:
        folder = Path(name)
        pairs = ("".join(pair) for pair in itertools.permutations(_LETTERS, 2))
        rows = [json.dumps({"question": pair, "answer": pair[::-1]}) + "\n" for pair in pairs]
        (folder / "pairs.jsonl").write_text("".join(rows))
        (folder / "proof.yaml").write_text(yaml.safe_dump(_SWEEP))
        for command in _COMMANDS:
            left = SECONDS - (time.monotonic() - began)
            code, said = _run(folder, command, left)
            if code is None:
                text = f"`srtbench {command[0]}` did not end within {SECONDS} s"
                return Finding("fail", "proof", text)
            if code:
                last = " / ".join(line.strip() for line in said.splitlines()[-4:])
                text = f"`srtbench {command[0]}` ended with exit code {code}: {last}"
                return Finding("fail", "proof", text)
    took = time.monotonic() - began
    return Finding("ok", "proof", f"three steps trained, logged and audited in {took:.0f} s")


def _run(folder: Path, command: tuple[str, ...], seconds: float) -> tuple[int | None, str]:
    """Exit code, None if time was over, and what was printed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "srtbench.cli", *command],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=max(seconds, 1))
    except BaseException as error:
        _end(process)
        if isinstance(error, subprocess.TimeoutExpired):
            return None, ""
        raise
    return process.returncode, said


def _end(process: "subprocess.Popen[str]") -> None:
    """End a command and its children: in order, which a sweep does by itself, or else by force."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

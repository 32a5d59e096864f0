"""Sweeps that are not on this machine."""

from pathlib import Path

import fsspec
import pytest
from polars.testing import assert_frame_equal

from srtbench.analysis import open_sweep
from srtbench.analysis.frames import view
from tests.fake_sweep import Shape, write_fake_sweep

TINY = Shape(steps=20, every=10, prompts_per_step=2, generations=4, eval_prompts=6, eval_samples=4)


def test_a_sweep_in_an_object_store_reads_as_the_local_one(tmp_path: Path) -> None:
    """Through a file system of fsspec, as s3fs and gcsfs are; here one in memory."""
    path = write_fake_sweep(tmp_path, TINY, states={("srt", 1): "failed", ("gold", 0): "waiting"})
    memory = fsspec.filesystem("memory")
    memory.put(str(tmp_path), "/bucket/runs", recursive=True)
    local = open_sweep(path)
    for check in ("footer", "data"):
        remote = open_sweep(f"memory://bucket/runs/{path.name}", filesystem=memory, check=check)
        for name in ("runs", "run_summary", "eval_curves", "step_metrics", "prompts"):
            assert_frame_equal(view(remote, name), view(local, name), check_row_order=False)
        assert view(remote, "damaged_files").height == 0
    with pytest.raises(FileNotFoundError, match=r"no plan.json there"):
        open_sweep("memory://bucket/runs/other", filesystem=memory)
    memory.rm("/bucket", recursive=True)


def test_a_sweep_behind_a_web_server_is_refused() -> None:
    with pytest.raises(ValueError, match="a web server does not list its files"):
        open_sweep("http://127.0.0.1:8000/runs/smoke")

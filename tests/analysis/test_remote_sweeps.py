"""Sweeps that are not on this machine."""

import logging
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
from moto.server import ThreadedMotoServer
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


@pytest.fixture
def bucket(caplog: pytest.LogCaptureFixture) -> Iterator[fsspec.AbstractFileSystem]:
    """An empty bucket of an S3 server on this machine, as s3fs sees it."""
    caplog.set_level(logging.INFO, "werkzeug")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    _, port = server.get_host_and_port()
    store = fsspec.filesystem(
        "s3", key="key", secret="secret", endpoint_url=f"http://127.0.0.1:{port}"
    )
    store.mkdir("bucket")
    yield store
    server.stop()


def test_a_sweep_in_s3_reads_as_the_local_one_and_asks_little(
    tmp_path: Path, bucket: fsspec.AbstractFileSystem, caplog: pytest.LogCaptureFixture
) -> None:
    """s3fs keeps what it has listed; one that asks for each file anew sends thousands of HEAD."""
    path = write_fake_sweep(tmp_path, TINY, variants=["srt", "gold"], seeds=[0])
    bucket.put(str(tmp_path), "bucket/runs", recursive=True)
    files = sum(file.is_file() for file in tmp_path.rglob("*"))
    caplog.clear()
    local, remote = open_sweep(path), open_sweep(f"s3://bucket/runs/{path.name}", filesystem=bucket)
    for name in ("runs", "run_summary", "eval_curves", "prompts"):
        assert_frame_equal(view(remote, name), view(local, name), check_row_order=False)
    assert view(remote, "damaged_files").height == 0
    requests = [one.getMessage() for one in caplog.records if one.name == "werkzeug"]
    asked = [one for one in requests if "HEAD " in one]
    assert len(requests) > files > len(asked)


def test_a_sweep_behind_a_web_server_is_refused() -> None:
    with pytest.raises(ValueError, match="a web server does not list its files"):
        open_sweep("http://127.0.0.1:8000/runs/smoke")

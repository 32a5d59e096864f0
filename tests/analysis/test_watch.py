"""The page that is served while training runs, and the browser's filters in its address."""

import http.client
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from srtbench.analysis.report.render import POLICY
from srtbench.analysis.report.watch import HOST, Watched, serve
from srtbench.store import Folder
from tests.analysis.test_report import CHROMIUM, TINY
from tests.fake_sweep import write_fake_sweep


class Served:
    """A watched sweep, its server, and what it complained of."""

    def __init__(self, sweep: Path):
        self.sweep = sweep
        self.said: list[str] = []
        self.watched = Watched([sweep], sweep / "report", self.said.append)
        self.watched.look()
        self.server = serve(self.watched)
        self.port = int(self.server.server_address[1])

    def get(self, path: str, host: str | None = None) -> tuple[int, str]:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=30)
        headers = {} if host is None else {"Host": host}
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("watch")
    sweep = write_fake_sweep(
        folder, TINY, variants=["srt", "gold"], seeds=[0], states={("gold", 0): "running"}
    )
    one = Served(sweep)
    thread = threading.Thread(target=one.server.serve_forever, daemon=True)
    thread.start()
    yield one
    one.server.shutdown()
    one.server.server_close()


def test_it_is_this_machines_alone(served: Served) -> None:
    assert served.server.server_address[0] == "127.0.0.1"
    assert served.get("/")[0] == 200
    assert served.get("/", host=f"localhost:{served.port}")[0] == 200
    assert served.get("/", host="evil.example:80")[0] == 403, "a name that was made to lead here"
    for path in ("/report.md", "/../plan.json", "/tables/runs.csv"):
        assert served.get(path)[0] == 404


def test_the_served_page_may_ask_its_server_and_the_one_on_disk_may_not(served: Served) -> None:
    page = served.get("/")[1]
    assert f"{POLICY}; connect-src 'self'" in page
    assert 'data-version="' in page
    disk = (served.sweep / "report" / "report.html").read_text(encoding="utf-8")
    assert "connect-src" not in disk
    assert "data-version" not in disk


def test_a_new_state_makes_a_new_version_and_nothing_new_makes_none(served: Served) -> None:
    before = served.get("/version")[1]
    assert served.watched.look() is False
    assert served.get("/version")[1] == before
    run = next(served.sweep.glob("*gold*"))
    Folder(run).update_status(state="failed", error="OSError: no room")
    assert served.watched.look() is True
    assert served.get("/version")[1] == str(int(before) + 1)
    assert "OSError: no room" in served.get("/")[1]


def test_a_report_that_cannot_be_written_is_said_once_and_the_page_stays(served: Served) -> None:
    page, plan = served.get("/")[1], served.sweep / "plan.json"
    whole, stop = plan.read_bytes(), threading.Event()
    plan.write_text("{")
    follower = threading.Thread(target=served.watched.follow, args=(stop, 0.01), daemon=True)
    follower.start()
    for _ in range(200):
        if served.said:
            break
        stop.wait(0.05)
    plan.write_bytes(whole)
    stop.set()
    follower.join(30)
    assert [line for line in served.said if "plan.json: not valid JSON" in line] == served.said[:1]
    assert served.get("/")[1].startswith(page[:200])


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_filters_and_a_group_come_from_the_address(served: Served, tmp_path: Path) -> None:
    """A link shows what its sender saw: filters, and one group beside its vote."""
    run = next(path.name for path in served.sweep.glob("*-srt-*"))
    address = f"http://{HOST}:{served.port}/"
    filters = f"#browser?run={run}&phase=train&step=7&group={run}%2Ftrain%2F7%2Ftrain-12"
    seen = _dom(address + filters, tmp_path)
    assert "2 groups with 8 matching rollouts" in seen
    head = re.search(r'id="browser-group"><h3>([^<]*)</h3>.*?<code>([^<]*)</code>', seen)
    assert head is not None
    assert "train step 7" in head[1]
    assert seen.count('<button type="button" data-group=') == 2
    assert len(re.findall(r'<li(?: class="[a-z ]*")?><p class="small">', seen)) == 4
    assert "Vote of 4" in seen
    assert "Watching; this page loads itself anew" in seen


def _dom(address: str, folder: Path) -> str:
    assert CHROMIUM is not None
    command = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu"]
    command += [f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=3000"]
    result = subprocess.run(
        [*command, "--dump-dom", address], capture_output=True, text=True, check=False, timeout=120
    )
    shutil.rmtree(folder / "profile", ignore_errors=True)
    assert result.returncode == 0, result.stderr
    return result.stdout

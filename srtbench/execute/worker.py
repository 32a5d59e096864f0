"""Entry point of a worker process: compute one stage or run, record how it ended.

    python -m srtbench.execute.entry ROOT SWEEP ID

The specification is read from the folder's config.json, which the sweep wrote. The exit code is an
`ExitCode`; the reason of a failure is in status.json.
"""

import logging
import os
import signal
import sys
import time
import traceback
import warnings
from typing import Any

import datasets
import torch
import transformers
from torch.distributed.elastic.multiprocessing.errors import get_error_handler

from srtbench.config.train import ExecutionConfig
from srtbench.execute.base import ExitCode
from srtbench.plan import RunSpec, StageSpec
from srtbench.store import Folder, SweepStore
from srtbench.store.configs import read_config, read_spec
from srtbench.store.stages import is_done
from srtbench.train.run import execute_run
from srtbench.train.stages import execute_stage

logger = logging.getLogger("srtbench.worker")

TRACEBACK_LINES = 30

_ASK_AGAIN_SECONDS = 0.1


class Interrupted(BaseException):
    """The sweep asked this process to stop."""


def work(root: str, sweep: str, work_id: str) -> ExitCode:
    """Do one piece of work in this process; returns the exit code."""
    store = SweepStore(root, sweep)
    folder = store.run(work_id)
    if not folder.config_path.is_file():
        folder = store.stage(work_id)
    execution = ExecutionConfig.model_validate(read_config(folder)["execution"])
    spec = read_spec(folder)
    _set_up(execution)
    is_main = int(os.environ.get("RANK", "0")) == 0
    if not is_main:
        return _execute(spec, execution, store, folder, record=False)
    try:
        with folder.locked():
            if isinstance(spec, StageSpec) and is_done(spec, folder):
                return ExitCode.DONE  # another sweep computed it meanwhile
            return _execute(spec, execution, store, folder, record=True)
    except BlockingIOError as error:
        logger.error("%s", error)
        return ExitCode.FOLDER_IN_USE


def _execute(
    spec: RunSpec | StageSpec,
    execution: ExecutionConfig,
    store: SweepStore,
    folder: Folder,
    *,
    record: bool,
) -> ExitCode:
    started = time.monotonic()
    if record:
        folder.start(spec.train.steps if isinstance(spec, RunSpec) else 0)
    try:
        try:
            if isinstance(spec, RunSpec):
                execute_run(spec, execution, store, folder)
            else:
                execute_stage(spec, store, folder)
                folder.update_status(state="done", wall_seconds=time.monotonic() - started)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)  # however it ended, nothing is left to stop
    except Interrupted:
        logger.info("interrupted")
        if record:
            folder.update_status(state="interrupted")
        return ExitCode.INTERRUPTED
    except BaseException as error:
        text = traceback.format_exc()
        logger.error("failed\n%s", text)
        if record:
            tail = "\n".join(text.strip().splitlines()[-TRACEBACK_LINES:])
            folder.update_status(state="failed", error=tail)
        else:
            get_error_handler().record_exception(error)  # for the launcher of the processes
        return ExitCode.FAILED
    logger.info("done in %.1f s", time.monotonic() - started)
    return ExitCode.DONE


def _set_up(execution: ExecutionConfig) -> None:
    """Threads, logging, signals: everything a forked or fresh process needs alike."""
    torch.set_num_threads(execution.threads)
    logging.basicConfig(
        level=execution.log_level.upper(),
        format="%(asctime)s %(name)s %(levelname)s %(message)s",
        stream=sys.stderr,
        force=True,
    )
    transformers.utils.logging.disable_progress_bar()
    datasets.disable_progress_bars()
    # TRL still uses names that transformers has deprecated; nothing a user could change.
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGALRM, _interrupt)
    for request in (signal.SIGINT, signal.SIGHUP):
        signal.signal(request, signal.SIG_IGN)  # the sweep decides, and sends SIGTERM


def _interrupt(*_: Any) -> None:
    """Interrupt the work, and again until it has ended.

    Python drops an exception that is raised while it runs a finaliser (`__del__`), and the
    libraries that a run starts have many: one request is easily lost.
    """
    signal.setitimer(signal.ITIMER_REAL, _ASK_AGAIN_SECONDS)
    raise Interrupted

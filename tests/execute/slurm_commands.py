"""Slurm's commands on one machine: real processes, no cluster.

    python slurm_commands.py FOLDER COMMAND ARGUMENTS...

A stand-in for what a cluster's own commands do with a batch script: arrays, logs, states,
cancelling, queueing again. It has no queue, no limits and no nodes. Its state is in FOLDER:
`jobs/<id>` with `name`, `pid`, `state`, and `again` when the job is to be started once more.
"""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(sys.argv[1])
JOBS = HERE / "jobs"
KILL_WAIT_SECONDS = 2.0


def options(script: str) -> dict[str, str]:
    """The `#SBATCH --key=value` lines of a batch script."""
    lines = re.findall(r"^#SBATCH --([a-z-]+)(?:=(.*))?$", script, re.M)
    return {key: "".join(shlex.split(value)) for key, value in lines}


def sbatch(file: str) -> None:
    script = Path(file).read_text()
    asked = options(script)
    (HERE / "scripts").mkdir(exist_ok=True)
    number = len(list((HERE / "scripts").iterdir())) + 1
    (HERE / "scripts" / f"{number}.sh").write_text(script)
    if asked.get("partition") == "full":
        sys.exit("sbatch: error: invalid partition specified: full")
    last = re.match(r"0-(\d+)", asked.get("array", ""))
    for index in range(int(last[1]) + 1) if last else [None]:
        job_id = f"{number}" if index is None else f"{number}_{index}"
        (JOBS / job_id).mkdir(parents=True)
        (JOBS / job_id / "name").write_text(asked["job-name"])
        (JOBS / job_id / "state").write_text("PENDING")
        environment = os.environ | {"SLURM_JOB_ID": str(number), "SLURM_NTASKS": "1"}
        if index is not None:
            environment |= {"SLURM_ARRAY_JOB_ID": str(number), "SLURM_ARRAY_TASK_ID": str(index)}
        command = [sys.executable, __file__, str(HERE), "job", job_id]
        quiet = subprocess.DEVNULL
        subprocess.Popen(
            command, env=environment, start_new_session=True, stdout=quiet, stderr=quiet
        )
    print(f"Submitted batch job {number}")


def job(job_id: str) -> None:
    """Run a batch script, again when it was queued again; the state is that of its end."""
    folder = JOBS / job_id
    script = HERE / "scripts" / f"{job_id.partition('_')[0]}.sh"
    while True:
        (folder / "again").unlink(missing_ok=True)
        process = subprocess.Popen(["bash", str(script)], start_new_session=True)
        (folder / "pid").write_text(str(process.pid))
        (folder / "state").write_text("RUNNING")
        code = process.wait()
        if (folder / "again").exists():
            (folder / "state").write_text("PENDING")
            time.sleep(0.5)
            continue
        if (folder / "state").read_text() == "RUNNING":
            (folder / "state").write_text("COMPLETED" if code == 0 else "FAILED")
        return


def srun(*arguments: str) -> None:
    left, output = list(arguments), ""
    while left[0].startswith("-"):
        option = left.pop(0)
        if option == "--output":
            output = left.pop(0)
    number, index = os.environ["SLURM_JOB_ID"], os.environ.get("SLURM_ARRAY_TASK_ID", "")
    for tag, value in {"%A": number, "%a": index, "%j": number, "%t": "0"}.items():
        output = output.replace(tag, value)
    log = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.execvp(left[0], left)


def sacct(*_: str) -> None:
    print("JobID|State|NodeList")
    for folder in sorted(JOBS.iterdir()):
        print(f"{folder.name}|{(folder / 'state').read_text()}|here")


def end(folder: Path) -> None:
    """SIGTERM to all processes of a job, and SIGKILL to those that are left."""
    group = int((folder / "pid").read_text())
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + KILL_WAIT_SECONDS
        try:
            os.killpg(group, number)
            while time.monotonic() < deadline:
                os.killpg(group, 0)
                time.sleep(0.05)
        except ProcessLookupError:
            return


def detached() -> bool:
    """Go on in a child, whose parent returns at once as Slurm's own commands do."""
    if os.fork():
        return False
    os.setsid()
    for stream in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    return True


def scancel(*arguments: str) -> None:
    (name,) = (one.removeprefix("--name=") for one in arguments if one.startswith("--name="))
    (HERE / "cancelled").open("a").write(f"{name}\n")
    for folder in JOBS.iterdir() if JOBS.exists() else []:
        alive = (folder / "state").read_text() in ("PENDING", "RUNNING")
        if alive and (folder / "name").read_text() == name:
            (folder / "state").write_text("CANCELLED by 0")
            if detached():
                end(folder)
                os._exit(0)


def scontrol(what: str, job_id: str) -> None:
    assert what == "requeue"
    (JOBS / job_id / "again").touch()
    if detached():
        time.sleep(0.5)  # this command is of the job's own processes, and returns before they end
        end(JOBS / job_id)
        os._exit(0)


if __name__ == "__main__":
    commands = (sbatch, job, srun, sacct, scancel, scontrol)
    {one.__name__: one for one in commands}[sys.argv[2]](*sys.argv[3:])

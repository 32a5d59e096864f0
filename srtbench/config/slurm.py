"""The `execution.slurm` section: what each job of a Slurm cluster asks for."""

import re
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from srtbench.sections import Section

_OPTION = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")

OWN_OPTIONS: dict[str, str] = {
    "array": "nothing: what is ready at one time is one array",
    "chdir": "nothing: the folder of the sweep command",
    "cpus-per-task": "execution.threads and train.num_processes",
    "error": "nothing: the folder .slurm of the sweep",
    "gpus-per-node": "execution.gpus_per_run",
    "job-name": "nothing: srtbench finds its jobs by their name",
    "mem": "execution.slurm.memory_gib",
    "nodes": "nothing: a run is on one node",
    "ntasks": "train.num_processes",
    "ntasks-per-node": "train.num_processes",
    "open-mode": "nothing: a job that is queued again appends to its log",
    "output": "nothing: the folder .slurm of the sweep",
    "partition": "execution.slurm.partition",
    "signal": "nothing: a job is told 90 seconds before its end",
    "time": "execution.slurm.minutes",
}
"""Options of sbatch that srtbench sets itself -> where a sweep file says the same."""


class SlurmConfig(Section):
    """What each job asks Slurm for. No value changes a result."""

    minutes: int = Field(
        ge=1, description="time limit of a job; a run that needs more is queued again, and goes on"
    )
    partition: str | None = Field(None, min_length=1, description="null: the cluster's own default")
    memory_gib: float | None = Field(
        None, gt=0, description="memory of a job; null: the cluster's own default"
    )
    time_outs: int = Field(
        10, ge=0, description="how often a run may reach the time limit before it is failed"
    )
    setup: tuple[str, ...] = Field(
        (), description="lines of shell before each job, e.g. `module load cuda`"
    )
    options: dict[str, str | int | bool] = Field(
        default_factory=dict,
        description="any further option of sbatch by its long name, e.g. {qos: high, exclusive: "
        "true}",
    )
    cluster: Literal["slurm", "local"] = Field(
        "slurm", description="local: a rehearsal with processes of this machine, without Slurm"
    )

    @field_validator("setup")
    @classmethod
    def _lines(cls, setup: tuple[str, ...]) -> tuple[str, ...]:
        if any("\n" in line for line in setup):
            raise ValueError("each item is one line")
        return setup

    @model_validator(mode="after")
    def _of_sbatch(self) -> Self:
        for name, value in self.options.items():
            if not _OPTION.fullmatch(name):
                raise ValueError(
                    f"options: '{name}' is no option of sbatch; write its long name without the "
                    "dashes before it, e.g. mail-type"
                )
            if name in OWN_OPTIONS:
                raise ValueError(f"options: '{name}' is set by {OWN_OPTIONS[name]}")
            if value is False:
                raise ValueError(f"options: '{name}' is false; leave it out")
            if "\n" in str(value):
                raise ValueError(f"options: '{name}' has more than one line")
        if self.partition is not None and "\n" in self.partition:
            raise ValueError("partition has more than one line")
        return self

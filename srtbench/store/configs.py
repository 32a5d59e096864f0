"""The config.json of a run or stage: what it is, and how it was executed.

The file has a version. Version 1 is what srtbench wrote before it had one; an older file is brought
to today's form where it is read, so that a folder of results stays readable.
"""

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel

from srtbench.plan import RunSpec, StageSpec
from srtbench.plan.stages import AnyStage
from srtbench.store.files import SEAL, StoreError, checked, read_json, write_sealed
from srtbench.store.folders import Folder
from srtbench.store.upgrade import upgrade_run, upgrade_stage
from srtbench.variants import facts, from_outside

DECLARED = "declared"
"""Key of a run's config.json: what its variant's class answered when the run began."""

CONFIG_VERSION = 2
"""Version of the config.json that this srtbench writes."""

_KEYS = {"version", "type", "spec", "execution", DECLARED, "trained_variant", SEAL}
_KEYS |= {"versions", "platform", "cpu_count", "git"}  # the provenance

Content = dict[str, Any]
Work = RunSpec | StageSpec


def write_config(folder: Folder, work: Work, execution: Content, provenance: Content) -> None:
    """Keep the specification beside the results.

    Args:
        provenance: versions, platform and commit.
    """
    content = {
        "version": CONFIG_VERSION,
        "type": "run" if isinstance(work, RunSpec) else "stage",
        "spec": work.model_dump(mode="json"),
        "execution": execution,
        **provenance,
    }
    if isinstance(work, RunSpec):
        content[DECLARED] = facts(work.variant).declared(work.train.num_generations)
    write_sealed(folder.config_path, content)


def read_config(folder: Folder) -> Content:
    """The whole file in today's form.

    Raises:
        FileNotFoundError: there is none. StoreError: it is damaged, or of a newer srtbench.
    """
    path = folder.config_path
    content = read_json(path)
    version = content.get("version", 1)
    if type(version) is not int or version < 1:
        raise StoreError(f"{path}: version: {version!r} is no version number")
    if version > CONFIG_VERSION:
        raise StoreError(
            f"{path}: version: {version} is of a newer srtbench; this one reads up to "
            f"{CONFIG_VERSION}, so update srtbench"
        )
    if unknown := [key for key in content if key not in _KEYS]:
        raise StoreError(f"{path}: {unknown[0]}: is not known to this version of srtbench")
    for key in ("type", "spec"):
        if key not in content:
            raise StoreError(f"{path}: {key}: is missing")
    if content["type"] not in ("run", "stage"):
        raise StoreError(f"{path}: type: {content['type']!r} is neither run nor stage")
    for number in range(version, CONFIG_VERSION):
        try:
            content = _UPGRADES[number](content)
        except (AttributeError, KeyError, TypeError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise StoreError(f"{path}: spec: not one of version {number} ({reason})") from None
    return content | {"version": CONFIG_VERSION}


def _from_version_1(content: Content) -> Content:
    upgrade = upgrade_run if content["type"] == "run" else upgrade_stage
    return content | {"spec": upgrade(content["spec"])}


_UPGRADES: dict[int, Callable[[Content], Content]] = {1: _from_version_1}
"""Version -> what makes a file of the next one of it."""


class Declared(BaseModel):
    """What a run's variant answers; see `srtbench.variants.Variant` for each answer."""

    uses_gold: bool
    votes_on_answers: bool
    extra_votes: int


def declared(folder: Folder, spec: RunSpec) -> Declared | None:
    """What a run's variant answers, without loading a class from outside.

    A built-in variant is asked. Of one from outside the run's folder says what it answered when the
    run began; None: it does not, as in folders of version 1.
    """
    answers: Content | None
    if not from_outside(spec.variant):
        answers = facts(spec.variant).declared(spec.train.num_generations)
    elif (answers := read_config(folder).get(DECLARED)) is None:
        return None
    return checked(Declared, answers, folder.config_path, DECLARED, strict=True)


def read_run_spec(folder: Folder) -> RunSpec:
    """The specification of a run; raises as `read_config`."""
    return checked(RunSpec, read_config(folder)["spec"], folder.config_path, "spec")


def read_stage_spec(folder: Folder) -> StageSpec:
    """The specification of a stage; raises as `read_config`."""
    return checked(AnyStage, read_config(folder)["spec"], folder.config_path, "spec").root


def read_spec(folder: Folder) -> Work:
    """The specification of either; raises as `read_config`."""
    kind = read_config(folder)["type"]
    return read_run_spec(folder) if kind == "run" else read_stage_spec(folder)

"""The config.json of a run or stage: what it is, and how it was executed."""

from srtbench.plan import RunSpec, StageSpec
from srtbench.store.files import StoreError, checked, read_json, write_json
from srtbench.store.folders import Folder
from srtbench.store.upgrade import CONFIG_VERSION, Content, upgraded

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
    write_json(folder.config_path, content)


def read_config(folder: Folder) -> Content:
    """The whole file in today's form.

    Raises:
        FileNotFoundError: there is none. StoreError: it is damaged, or of a newer srtbench.
    """
    content = upgraded(read_json(folder.config_path), folder.config_path)
    for key in ("type", "spec"):
        if key not in content:
            raise StoreError(f"{folder.config_path}: {key}: is missing")
    return content


def read_run_spec(folder: Folder) -> RunSpec:
    """The specification of a run; raises as `read_config`."""
    return checked(RunSpec, read_config(folder)["spec"], folder.config_path, "spec")


def read_stage_spec(folder: Folder) -> StageSpec:
    """The specification of a stage; raises as `read_config`."""
    return checked(StageSpec, read_config(folder)["spec"], folder.config_path, "spec")


def read_spec(folder: Folder) -> Work:
    """The specification of either; raises as `read_config`."""
    kind = read_config(folder)["type"]
    if kind not in ("run", "stage"):
        raise StoreError(f"{folder.config_path}: type: {kind!r} is neither run nor stage")
    return read_run_spec(folder) if kind == "run" else read_stage_spec(folder)

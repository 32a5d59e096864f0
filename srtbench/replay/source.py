"""Whether the Python file of a run's variant is what the run was trained with."""

from typing import Literal

from srtbench.plan import RunSpec, identity_v1
from srtbench.plan.identity import paths_in, run_id_of
from srtbench.sections import FilePath
from srtbench.store.configs import read_config
from srtbench.store.files import read_json
from srtbench.store.runs import LoggedRun

NOT_RUN = (
    "not judged again: its reward is code that the folder names; --run-code runs it, as you, so "
    "only if you trust it"
)
SOURCE_CHANGED = (
    "the file of the variant (or of the dataset or model) has changed since the run: their "
    "content no longer gives the run id"
)
SOURCE_UNKNOWN = (
    "a file of the variant, dataset or model is not here, so whether the variant's file is still "
    "what the run used cannot be told"
)


def source_state(run: LoggedRun) -> Literal["same", "changed", "unknown", "gone"]:
    """Whether the Python file of the run's variant is what the run used; the run id tells.

    ``same`` for a variant without such a file; ``gone``: there is no such file here.
    """
    sources = [path for path in paths_in(run.spec.variant) if FilePath.split(path)[1]]
    if not sources:
        return "same"
    if not all(FilePath.split(path)[0].is_file() for path in sources):
        return "gone"
    written = read_json(run.folder.config_path)
    content = written if written.get("version", 1) == 1 else read_config(run.folder)
    trained = content["spec"] | {
        "variant": content.get(TRAINED_VARIANT, content["spec"]["variant"])
    }
    if content is written:
        same = identity_v1.run_digest(trained) == run.spec.run_id.rpartition("-")[2]
    else:
        same = run_id_of(RunSpec.model_validate(trained)) == run.spec.run_id
    if same:
        return "same"
    found = all(FilePath.split(path)[0].exists() for path in paths_in(run.spec))
    return "changed" if found else "unknown"


TRAINED_VARIANT = "trained_variant"
"""Key of a revoted run's config.json: the entry that it was trained with."""

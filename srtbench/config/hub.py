"""What every entry that names a repository of the hub may say of its commit."""

from typing import Annotated

from pydantic import Field

COMMIT = r"^[0-9a-f]{40}$"
"""Pattern of a commit, written out."""

Commit = Annotated[
    Annotated[str, Field(pattern=COMMIT)] | None,
    Field(
        description="what `revision` points to: a sweep asks when it first starts, and keeps to it"
    ),
]
